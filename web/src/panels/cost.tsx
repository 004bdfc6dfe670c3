// Cost: a place that is still empty.
import { Panel } from "../panel";

export function CostPanel() {
  return <Panel id="cost" title="Cost" help="Still to come." empty={<p>Still to come.</p>} />;
}
