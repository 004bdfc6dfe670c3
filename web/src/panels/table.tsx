// Table: a place that is still empty.
import { Panel } from "../panel";

export function TablePanel() {
  return <Panel id="table" title="Table" help="Still to come." empty={<p>Still to come.</p>} />;
}
