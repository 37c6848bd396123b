"""Lines on stderr with a coloured first word, such as ``error:``; plain for NO_COLOR and in pipes."""


def print_stderr_line(word: str, text: str, style: str) -> None:
    """Print ``word: text`` to stderr, the word in a rich style."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{word}:", style=style, end=" ", markup=False)
    console.print(text, markup=False)
