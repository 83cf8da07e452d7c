import { type PreflightReport, type PreflightRequest, runPreflight } from './run-preflight.js';

// The process of a preflight: `node preflight-main.js DIRECTORY SCOPE`. It prints one JSON value. Damage may crash it.
const [, , directory = '', scope = ''] = process.argv;
let report: PreflightReport;
try {
  report = await runPreflight({ directory, scope: scope as PreflightRequest['scope'] });
} catch (error) {
  report = { isBlocked: true, count: 1, cost: 'records', findings: [{ kind: 'page', table: 'file', problem: String(error) }] };
}
process.stdout.write(JSON.stringify(report));
