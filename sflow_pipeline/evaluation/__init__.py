"""How good a converted dataset is: judged by networks that the project did not train, beside real photos."""
