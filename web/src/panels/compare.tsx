// Compare: a place that is still empty.
import { Panel } from "../panel";

export function ComparePanel() {
  return <Panel id="compare" title="Compare" help="Still to come." empty={<p>Still to come.</p>} />;
}
