// Array inspector: a place that is still empty.
import { Panel } from "../panel";

export function InspectorPanel() {
  return (
    <Panel
      id="inspector" title="Array inspector" help="Still to come."
      empty={<p>Still to come.</p>}
    />
  );
}
