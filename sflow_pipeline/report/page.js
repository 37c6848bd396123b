"use strict";
// Filters, sorting and the viewer of a report. Text goes into the page as text, never as HTML.
(() => {
  const byId = (id) => document.getElementById(id);
  const facts = JSON.parse(byId("facts").textContent);
  const holder = byId("cards");
  const cards = [...holder.children];
  const viewer = byId("viewer");
  const sliders = { left: byId("left"), right: byId("right") };
  const opened = { card: 0, view: "image0", isSideBySide: false, isActualSize: false, pictures: {}, stage: null };
  let shown = cards.map((_, i) => i);

  // --- filters and order ---

  const matches = (frame, name, value) => {
    if (name === "class") return frame.classes.includes(value);
    if (name.startsWith("text:")) return frame.texts[name.slice(5)].includes(value);
    return frame[name] === value;
  };

  const compare = (order) => {
    const [sign, name] = [order[0] === "-" ? -1 : 1, order.slice(1)];
    return (a, b) => {
      const [x, y] = [facts.frames[a].worst[name], facts.frames[b].worst[name]];
      if (x === null || y === null) return (x === null) - (y === null) || a - b; // without a value: last
      return sign * (x - y) || a - b;
    };
  };

  const update = () => {
    const wanted = [...document.querySelectorAll("[data-filter]")].filter((select) => select.value);
    const text = byId("search").value.toLowerCase();
    const order = byId("order").value;
    shown = cards.map((_, i) => i).filter((i) => {
      const frame = facts.frames[i];
      return wanted.every((select) => matches(frame, select.dataset.filter, select.value))
        && frame.id.toLowerCase().includes(text);
    });
    if (order) shown.sort(compare(order));
    cards.forEach((card) => { card.hidden = true; });
    for (const i of shown) {
      cards[i].hidden = false;
      holder.append(cards[i]);
    }
    byId("count").textContent = `${shown.length} of ${cards.length} shown`;
  };

  // --- viewer ---

  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  const makeImage = (name, caption) => {
    const image = make("img");
    image.src = opened.pictures[name];
    image.alt = caption;
    image.draggable = false;
    return image;
  };

  const countVariants = () => facts.frames[opened.card].captions.length;
  const nameVariant = (place) => `variant ${facts.frames[opened.card].variants[place]}`;
  const variant = () => (opened.view.startsWith("image") ? Number(opened.view.slice(5)) : 0);

  const readPictures = () => {
    const block = byId(`full-${opened.card}`);
    if (block) return JSON.parse(block.textContent);
    const buttons = [...cards[opened.card].querySelectorAll("[data-view]")];
    return Object.fromEntries(buttons.map((button) => [button.dataset.view, button.firstChild.src]));
  };

  const place = () => {
    if (!opened.stage) {
      for (const id of ["only-render", "only-image", "only-label", "all-views"]) {
        byId(id).setAttribute("aria-pressed", false);
      }
      return;
    }
    const left = opened.pictures.render ? Number(sliders.left.value) : 0;
    const right = Math.max(left, Number(sliders.right.value));
    const { render, label, edges, names } = opened.stage;
    if (render) render.style.clipPath = `inset(0 ${100 - left}% 0 0)`;
    label.style.clipPath = `inset(0 0 0 ${right}%)`;
    edges[0].style.left = `${left}%`;
    edges[1].style.left = `${right}%`;
    [[0, left], [left, right], [right, 100]].forEach(([from, to], i) => {
      names[i].style.left = `calc(${from}% + .4rem)`;
      names[i].hidden = to - from < 12;
    });
    const only = [left === 100, left === 0 && right === 100, right === 0];
    ["only-render", "only-image", "only-label"].forEach((id, i) => byId(id).setAttribute("aria-pressed", only[i]));
    byId("all-views").setAttribute("aria-pressed", !only.includes(true));
  };

  const setSliders = (left, right) => {
    opened.isSideBySide = false;
    sliders.left.value = left;
    sliders.right.value = right;
    draw();
  };

  const views = {
    1: () => opened.pictures.render && setSliders(100, 100),
    2: () => setSliders(0, 100),
    3: () => setSliders(0, 0),
    4: () => (opened.pictures.render ? setSliders(33, 67) : setSliders(0, 50)),
  };

  const fit = (stage, image) => {
    const resize = () => {
      if (!image.naturalWidth) return;
      const ratio = image.naturalWidth / image.naturalHeight;
      stage.style.width = opened.isActualSize ? `${image.naturalWidth}px` : "auto";
      stage.style.maxWidth = opened.isActualSize ? "none" : `calc(72vh * ${ratio})`;
    };
    image.addEventListener("load", resize);
    resize();
  };

  const drag = (stage) => {
    let name = "";
    const move = (event) => {
      const box = stage.getBoundingClientRect();
      const share = Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width));
      if (!name) {
        const [left, right] = [Number(sliders.left.value), Number(sliders.right.value)];
        const isLeft = opened.pictures.render && (Math.abs(share - left) < Math.abs(share - right)
          || (left === right && share < left));
        name = isLeft ? "left" : "right";
      }
      sliders[name].value = share;
      keepOrder(name);
      place();
    };
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      move(event);
    });
    stage.addEventListener("pointermove", (event) => name && move(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { name = ""; });
  };

  const keepOrder = (moved) => {
    const [left, right] = [Number(sliders.left.value), Number(sliders.right.value)];
    if (left > right) sliders[moved === "left" ? "right" : "left"].value = moved === "left" ? left : right;
  };

  const drawStage = () => {
    const stage = make("div", "stage");
    const image = makeImage(`image${variant()}`, "converted");
    const render = opened.pictures.render ? makeImage("render", "rendered") : null;
    const label = makeImage("label", "label");
    const edges = [make("div", "edge"), make("div", "edge")];
    const names = ["rendered", "converted", "label"].map((text) => make("span", "name", text));
    stage.append(image, ...(render ? [render] : []), label, ...edges, ...names);
    opened.stage = { render, label, edges, names };
    fit(stage, image);
    drag(stage);
    return stage;
  };

  const drawMany = () => {
    const many = make("div", "many");
    for (let i = 0; i < countVariants(); i += 1) {
      const figure = make("figure");
      figure.append(makeImage(`image${i}`, nameVariant(i)), make("figcaption", "", nameVariant(i)), listScores(i));
      many.append(figure);
    }
    opened.stage = null;
    return many;
  };

  const listScores = (number) => {
    const list = make("dl");
    for (const [name, value, isFault] of facts.frames[opened.card].captions[number]) {
      const item = make("div", isFault ? "warn" : "score");
      item.append(make("dt", "", name), make("dd", "", value));
      list.append(item);
    }
    return list;
  };

  const draw = () => {
    const frame = facts.frames[opened.card];
    const many = countVariants() > 1;
    byId("viewer-title").textContent = frame.id;
    byId("viewer-place").textContent =
      `${shown.indexOf(opened.card) + 1} of ${shown.length} · ${frame.sequence} · ${frame.split}`
      + (many ? ` · ${nameVariant(variant())}, ${countVariants()} in all` : "");
    byId("frame").replaceChildren(opened.isSideBySide ? drawMany() : drawStage());
    byId("viewer-note").textContent = byId(`full-${opened.card}`) ? "" : "A small picture: full size is kept for some frames.";
    byId("viewer-scores").replaceChildren(...(opened.isSideBySide ? [] : listScores(variant()).children));
    byId("side-by-side").hidden = !many;
    byId("side-by-side").setAttribute("aria-pressed", opened.isSideBySide);
    byId("actual-size").setAttribute("aria-pressed", opened.isActualSize);
    byId("only-render").hidden = !opened.pictures.render;
    sliders.left.parentElement.hidden = !opened.pictures.render;
    document.querySelector(".sliders").hidden = opened.isSideBySide;
    byId("viewer-classes").replaceChildren(...frame.classes.map((name) => {
      const item = make("li");
      const chip = make("span", "chip");
      if (facts.colors[name]) chip.style.background = `rgb(${facts.colors[name].join(",")})`;
      item.append(chip, name);
      return item;
    }));
    place();
  };

  const open = (card, view) => {
    opened.card = card;
    opened.view = view.startsWith("image") && Number(view.slice(5)) < countVariants() ? view : "image0";
    opened.pictures = readPictures();
    if (!viewer.open) {
      viewer.showModal();
      byId("frame").focus();
    }
    draw();
  };

  const step = (count) => {
    const position = shown.indexOf(opened.card) + count;
    if (position >= 0 && position < shown.length) open(shown[position], opened.view);
  };

  const stepVariant = (count) => {
    const number = variant() + count;
    if (number >= 0 && number < countVariants()) open(opened.card, `image${number}`);
  };

  const toggle = (name) => {
    opened[name] = !opened[name];
    draw();
  };

  const onKey = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const isSlider = event.target === sliders.left || event.target === sliders.right;
    const moves = { ArrowLeft: () => step(-1), ArrowRight: () => step(1),
      ArrowUp: () => stepVariant(-1), ArrowDown: () => stepVariant(1) };
    const keys = { v: () => countVariants() > 1 && toggle("isSideBySide"), z: () => toggle("isActualSize"), ...views };
    const action = (!isSlider && moves[event.key]) || keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  };

  holder.addEventListener("click", (event) => {
    const button = event.target.closest("[data-view]");
    if (!button) return;
    sliders.left.value = 33;
    sliders.right.value = 67;
    opened.isSideBySide = false;
    open(Number(button.closest("[data-card]").dataset.card), button.dataset.view);
    if (!opened.pictures.render) views[4]();
    if (button.dataset.view === "render") views[1]();
    if (button.dataset.view === "label") views[3]();
  });
  viewer.addEventListener("keydown", onKey);
  viewer.addEventListener("close", () => {
    const button = cards[opened.card].querySelector("[data-view]");
    if (button) button.focus();
  });
  for (const name of ["left", "right"]) {
    sliders[name].addEventListener("input", () => {
      keepOrder(name);
      place();
    });
  }
  byId("only-render").addEventListener("click", views[1]);
  byId("only-image").addEventListener("click", views[2]);
  byId("only-label").addEventListener("click", views[3]);
  byId("all-views").addEventListener("click", views[4]);
  byId("side-by-side").addEventListener("click", () => toggle("isSideBySide"));
  byId("actual-size").addEventListener("click", () => toggle("isActualSize"));
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("close").addEventListener("click", () => viewer.close());
  const filters = byId("filters");
  filters.hidden = false;
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", update);
  update();
})();
