import { createInterface } from 'node:readline';
import { type PreflightRequest, runPreflight } from '@rivulet/engine/parts';

// The process of a WarmPreflight. It reads one request in each line, and prints one report for each. Damage may crash it.
for await (const line of createInterface({ input: process.stdin })) {
  // oxlint-disable-next-line eslint/no-restricted-properties -- written by the parent process
  const report = await runPreflight(JSON.parse(line) as PreflightRequest).catch((error: unknown) => ({
    isBlocked: true,
    count: 1,
    findings: [{ kind: 'page', table: 'file', problem: String(error) }],
  }));
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
