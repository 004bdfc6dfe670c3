// Flow: a place that is still empty.
import { Panel } from "../panel";

export function FlowPanel() {
  return <Panel id="flow" title="Flow" help="Still to come." empty={<p>Still to come.</p>} />;
}
