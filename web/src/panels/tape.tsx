// The tape: a place that is still empty.
import { Panel } from "../panel";

export function TapePanel() {
  return (
    <Panel
      id="tape" title="The tape" help="Still to come."
      empty={<p>Still to come.</p>}
    />
  );
}
