// Alarms: a place that is still empty.
import { Panel } from "../panel";

export function AlarmsPanel() {
  return <Panel id="alarms" title="Alarms" help="Still to come." empty={<p>Still to come.</p>} />;
}
