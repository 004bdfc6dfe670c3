// The doors of the page: on its own, in a file, and in a notebook's widget.
import { render } from "preact";
import { App } from "./app";
import { InlineCarrier, ServerCarrier, WidgetCarrier, type WidgetModel } from "./carriers";
import { Source } from "./source";
import "./style.css";

/** Show runs of a source inside an element; returns what takes them away. */
export function mount(
  element: HTMLElement, source: Source, { alone = false }: { alone?: boolean } = {},
): () => void {
  element.classList.add("gradtape");
  render(<App source={source} root={element} alone={alone} />, element);
  return () => render(null, element);
}

/** anywidget's hook: the model is asked over messages. */
export function widget({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  return mount(el, new Source(new WidgetCarrier(model)));
}

function begin(): void {
  const place = document.getElementById("gradtape");
  if (!place) return;
  place.replaceChildren();
  const data = document.getElementById("run-data");
  const carrier = data ? new InlineCarrier(JSON.parse(data.textContent ?? "")) : new ServerCarrier();
  mount(place, new Source(carrier), { alone: true });
}

if (typeof document !== "undefined") {
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
  else begin();
}
