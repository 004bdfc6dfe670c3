// Files that a reader takes away: text, and pictures of a canvas or an SVG element.
import { palette } from "./theme";

export function saveBlob(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\w.()-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveText(name: string, text: string, kind = "text/plain"): void {
  saveBlob(name, new Blob([text], { type: `${kind};charset=utf-8` }));
}

/** Save a canvas or an SVG element as PNG, on the colour of the panel. */
export async function savePicture(
  name: string, picture: HTMLCanvasElement | SVGSVGElement | null,
): Promise<void> {
  if (!picture) return;
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d")!;
  const fill = (width: number, height: number) => {
    canvas.width = width;
    canvas.height = height;
    pen.fillStyle = palette.peek().surface;
    pen.fillRect(0, 0, width, height);
  };
  if (picture instanceof HTMLCanvasElement) {
    fill(picture.width, picture.height);
    pen.drawImage(picture, 0, 0);
  } else {
    const { width, height } = picture.getBoundingClientRect();
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone(picture, width, height))}`;
    await image.decode();
    fill(2 * width, 2 * height);
    pen.drawImage(image, 0, 0, 2 * width, 2 * height);
  }
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (blob) saveBlob(name, blob);
}

const KEPT = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray",
  "stroke-linecap", "stroke-linejoin", "paint-order", "image-rendering", "opacity", "font-family",
  "font-size", "font-weight", "text-anchor", "visibility", "display"];

/** An SVG element as a document of its own: what the style sheet says becomes attributes. */
export function standalone(picture: SVGSVGElement, width: number, height: number): string {
  const copy = picture.cloneNode(true) as SVGSVGElement;
  const from = [picture, ...picture.querySelectorAll("*")];
  const to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((element, k) => {
    const style = getComputedStyle(element);
    for (const name of KEPT) to[k].setAttribute(name, style.getPropertyValue(name));
    to[k].removeAttribute("class");
    to[k].removeAttribute("style");
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  return new XMLSerializer().serializeToString(copy);
}

/** Put text into the clipboard; whether that was allowed. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page without a secure origin, or a sandboxed frame: the old way may still be open.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr-only";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
