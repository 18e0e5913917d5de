"use strict";
// Shows and hides what stands in the page, and moves the film. It makes no request and computes no ranking.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  for (const part of all(".controls")) part.hidden = false;

  // Light and dark: the system's choice until the button is pressed.
  const root = document.documentElement;
  const dark = () => root.dataset.theme === "dark" ||
    (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.getElementById("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; });
  const openAll = (open) => all("details").forEach((part) => { part.open = open; });
  document.getElementById("open-all").addEventListener("click", () => openAll(true));
  document.getElementById("close-all").addEventListener("click", () => openAll(false));
  document.getElementById("print").addEventListener("click", () => window.print());

  // The film: layers, greys, zoom and place.
  for (const viewer of all("[data-viewer]")) {
    const film = viewer.querySelector(".film"), svg = film.querySelector("svg");
    const full = { x: 0, y: 0, width: +svg.dataset.width, height: +svg.dataset.height };
    let view = { ...full };
    const show = (next) => {
      const width = Math.min(Math.max(next.width, full.width / 16), full.width);
      const height = width * full.height / full.width;
      view = {
        width, height,
        x: Math.min(Math.max(next.x, 0), full.width - width),
        y: Math.min(Math.max(next.y, 0), full.height - height),
      };
      svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    };
    const zoom = (factor, x = view.x + view.width / 2, y = view.y + view.height / 2) => {
      const width = Math.min(Math.max(view.width / factor, full.width / 16), full.width), real = view.width / width;
      show({ width, x: x - (x - view.x) / real, y: y - (y - view.y) / real });
    };
    const move = (x, y) => show({ ...view, x: view.x + x * view.width, y: view.y + y * view.height });
    const steps = {
      in: () => zoom(1.4), out: () => zoom(1 / 1.4), reset: () => show(full),
      left: () => move(-0.1, 0), right: () => move(0.1, 0), up: () => move(0, -0.1), down: () => move(0, 0.1),
    };
    const keys = {
      "+": "in", "=": "in", "-": "out", 0: "reset",
      ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
    };
    for (const button of all("[data-view]", viewer)) button.addEventListener("click", steps[button.dataset.view]);
    film.addEventListener("keydown", (event) => {
      if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
        steps[keys[event.key]]();
        event.preventDefault();
      }
    });
    // Where on the film a pointer is: the svg is as wide and high as its view box asks for.
    const at = (event) => {
      const shown = svg.getBoundingClientRect();
      return [view.x + (event.clientX - shown.left) / shown.width * view.width,
        view.y + (event.clientY - shown.top) / shown.height * view.height];
    };
    film.addEventListener("wheel", (event) => {
      if (document.activeElement !== film && !event.ctrlKey) return; // else the page scrolls
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...at(event));
      event.preventDefault();
    }, { passive: false });
    let grip = null;
    film.addEventListener("pointerdown", (event) => { grip = at(event); film.setPointerCapture(event.pointerId); });
    film.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const [x, y] = at(event);
      show({ ...view, x: view.x + grip[0] - x, y: view.y + grip[1] - y });
    });
    for (const end of ["pointerup", "pointercancel"]) film.addEventListener(end, () => { grip = null; });

    for (const box of all("[data-shows]", viewer)) {
      const layer = svg.querySelector(`[data-layer="${box.dataset.shows}"]`);
      box.addEventListener("change", () => layer.toggleAttribute("hidden", !box.checked));
    }
    // Grey g becomes (g - low) / width, with low = level - width / 2, all of 255.
    const level = viewer.querySelector("[data-window=level]"), width = viewer.querySelector("[data-window=width]");
    const grey = () => {
      const slope = 255 / +width.value, intercept = -(+level.value - +width.value / 2) / +width.value;
      for (const part of all("feComponentTransfer > *", svg)) {
        part.setAttribute("slope", slope);
        part.setAttribute("intercept", +width.value === 255 && +level.value === 128 ? 0 : intercept);
      }
      for (const slider of [level, width]) slider.parentElement.querySelector("output").textContent = slider.value;
    };
    for (const slider of [level, width]) slider.addEventListener("input", grey);
    viewer.querySelector("[data-view=reset]").addEventListener("click", () => {
      level.value = 128;
      width.value = 255;
      grey();
    });
  }

  // Facts confirmed or denied: show the ranking that was worked out for them, or say that there is none.
  const said = document.getElementById("said"), facts = all("[data-fact]");
  if (!said) return;
  const nothing = said.firstElementChild;
  const line = (text, tag = "p") => Object.assign(document.createElement(tag), { textContent: text });
  const tell = () => {
    const chosen = facts.map((fact) => ({ ...fact.dataset, value: fact.querySelector("input:checked").value }));
    const stated = chosen.filter((fact) => fact.value);
    // What a note or the user says already is no news; of an image, a sure word is.
    const news = stated.filter((fact) => fact.origin === "image" || fact.value !== fact.asRead);
    if (!news.length) {
      said.replaceChildren(stated.length ? line("That is what was read: the ranking stays.") : nothing);
      return;
    }
    const key = news.sort((a, b) => a.fact - b.fact).map((fact) => `${fact.fact}:${fact.value}`).join(" ");
    const found = document.querySelector(`[data-key="${key}"]`);
    if (found) {
      said.replaceChildren(...[...found.children].map((part) => part.cloneNode(true)));
      return;
    }
    const words = news.map((fact) => `--${fact.value === "present" ? "confirm" : "deny"} '${fact.name.replace(/'/g, "'\\''")}'`);
    const given = [["image", "--image IMAGE"], ["note", "--note @NOTE"]];
    words.push(...given.filter(([origin]) => chosen.some((fact) => fact.origin === origin)).map(([, option]) => option));
    said.replaceChildren(
      line("No ranking was worked out beforehand for these together. This one command does:"),
      line(`whydx report REPORT ${words.join(" ")} --format html -o PAGE`, "pre"),
    );
  };
  for (const fact of facts) fact.addEventListener("change", tell);
  document.getElementById("as-read").addEventListener("click", () => {
    for (const fact of facts) fact.querySelector("input[value='']").checked = true;
    tell();
  });
})();
