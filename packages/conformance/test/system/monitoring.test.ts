import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { ask } from '../harness/admin-client.js';

const MONITORING = fileURLToPath(new URL('../../../../ops/monitoring', import.meta.url));

/** Runs promtool of Debian's package `prometheus`, which the set-up of the tests installs. */
function promtool(args: readonly string[], input = ''): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { cwd: MONITORING, input, encoding: 'utf8' });
  if (error !== undefined) throw error;
  return { status, output: `${stdout}${stderr}` };
}

test('promtool accepts the alert rules and the scrape', () => {
  expect(promtool(['check', 'config', 'prometheus.yml'])).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') as string });
});

test('the alerts fire when they should, and not for a new engine', () => {
  const opened = 'rivulet_stream_connections_opened_total';
  const refused = 'rivulet_events_total{event="upgrade_refused_401"}';
  const dropped = 'rivulet_events_total{event="connection_dropped"}';
  // Each value is one minute later than the one before.
  const steady = '0+10x1500';
  const tenfold = '0+1x1500 1500+100x30';
  const cases: readonly (readonly [alert: string, series: string, values: string, minute: number, fires: boolean])[] = [
    ['RivuletConnectionsDropped', dropped, '0x5 500x5', 6, true],
    ['RivuletConnectionsDropped', dropped, '0x10', 6, false],
    ['RivuletClientsReconnect', opened, steady, 90, false],
    ['RivuletClientsReconnect', opened, steady, 1_490, false],
    ['RivuletClientsReconnect', opened, tenfold, 1_530, true],
    ['RivuletCredentialsRefused', refused, steady, 90, false],
    ['RivuletCredentialsRefused', refused, tenfold, 1_530, true],
  ];
  const tests = cases.map(([alert, series, values, minute, fires]) => ({
    interval: '1m',
    input_series: [{ series, values }],
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: `${minute}m`,
        exp_samples: fires ? [{ labels: '{}', value: 1 }] : [],
      },
    ],
  }));
  const directory = directoryWith({
    'alerts.json': JSON.stringify({ rule_files: [join(MONITORING, 'rules.yml')], evaluation_interval: '1m', tests }),
  });
  expect(promtool(['test', 'rules', join(directory, 'alerts.json')])).toEqual({
    status: 0,
    output: expect.stringContaining('SUCCESS') as string,
  });
});

test('promtool accepts the metrics of an engine that works, which have fewer than 500 series', async () => {
  const { adminUrl, workerUrl, streamUrl } = await startTestEngine({ admin: {}, http: {}, lmdb: true });
  const worker = await RawWorker.connect(workerUrl);
  const watcher = await StreamSocket.open(`${streamUrl}/stream/s/g`);
  await watcher.take('sync');
  await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: 'a', data: 1 });
  await watcher.take('create');
  await worker.errorCode('app::nobody', {});
  const { text } = await ask(adminUrl, '/metrics');
  expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, output: '' });
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(series.length).toBeLessThan(500);
  for (const line of [
    // Without the 0, Prometheus would not see the first increase.
    'rivulet_events_total{event="connection_dropped"} 0',
    'rivulet_events_total{event="upgrade_refused_401"} 0',
    'rivulet_stream_connections 1',
    'rivulet_stream_subscriptions 1',
    'rivulet_stream_joins_total 1',
    'rivulet_stream_changes_total 1',
    'rivulet_stream_deliveries_total 1',
    'rivulet_stream_catch_ups_total{kind="sync"} 1',
    'rivulet_stream_flush_changes_bucket{le="1"} 1',
    'rivulet_store_state{store="stream",state="ok"} 1',
    'rivulet_store_changes_total{store="stream"} 1',
    'rivulet_store_commit_seconds_count{store="stream"} 1',
    'rivulet_calls_total{target="none"} 1',
    'rivulet_workers 1',
    'rivulet_ready 1',
  ])
    expect(series).toContain(line);
});
