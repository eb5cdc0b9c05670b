// The texts in an element that stand out too little from what is behind them: [text, ratio] each.
(root) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const read = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => {
      const one = part / 255;
      return one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const isDrawn = (element) => element instanceof SVGElement;
  const paint = (element) => {
    const style = getComputedStyle(element);
    if (!isDrawn(element)) return read(style.backgroundColor);
    const [r, g, b, a] = style.fill === "none" ? [0, 0, 0, 0] : read(style.fill);
    return [r, g, b, a * style.fillOpacity * style.opacity];
  };
  const ratio = (element, box) => {
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const stack = document.elementsFromPoint(x, y);
    const below = stack.slice(stack.indexOf(element) + 1).reverse();
    const painted = isDrawn(element) ? below : [...below, element];
    const back = painted
      .filter((one) => !["text", "tspan", "svg", "g"].includes(one.tagName))
      .reduce((colour, one) => over(paint(one), colour), [255, 255, 255]);
    const style = getComputedStyle(element);
    const [r, g, b, a] = read(isDrawn(element) ? style.fill : style.color);
    const [one, two] = [over([r, g, b, a * style.opacity], back), back].map(light);
    return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  };
  const found = [];
  const check = (element, text, box) => {
    if (!box || box.width < 1 || element.closest(":disabled")) return;
    const value = ratio(element, box);
    if (value < 4.5) found.push([text.slice(0, 60), Math.round(value * 10) / 10]);
  };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("option, style, title")) continue;
    element.scrollIntoView({ block: "center", inline: "nearest" });
    const range = document.createRange();
    range.selectNodeContents(node);
    check(element, node.data.trim(), range.getClientRects()[0]);
  }
  for (const field of root.querySelectorAll("select, input, textarea")) {
    field.scrollIntoView({ block: "center" });
    check(field, `${field.tagName} ${field.value}`, field.getBoundingClientRect());
  }
  return found;
}
