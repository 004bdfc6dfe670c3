// Parameter path: a place that is still empty.
import { Panel } from "../panel";

export function PathPanel() {
  return (
    <Panel
      id="path" title="Parameter path" help="Still to come."
      empty={<p>Still to come.</p>}
    />
  );
}
