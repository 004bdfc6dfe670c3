// Fit: a place that is still empty.
import { Panel } from "../panel";

export function FitPanel() {
  return (
    <Panel
      id="fit" title="Fit" help="Still to come."
      empty={<p>Still to come.</p>}
    />
  );
}
