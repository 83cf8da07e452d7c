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

/** Returns two cases: failures at the first rate a minute alert nobody, at the second they do. `beside` are series of the same time. */
function eachMinute(alert: string, failures: string, beside: Readonly<Record<string, string>>, [few, many]: readonly [number, number]) {
  const at = (rate: number) => ({ ...beside, [failures]: `0+${rate}x40` });
  return [
    [alert, at(few), '', 30, false],
    [alert, at(many), '', 30, true],
  ] as const;
}

test('the alerts fire when they should, and not for a new engine or a single failure', () => {
  const opened = 'rivulet_stream_connections_opened_total';
  const refused = 'rivulet_events_total{event="upgrade_refused_401"}';
  const dropped = 'rivulet_events_total{event="connection_dropped"}';
  // Each value is one minute later than the one before.
  const steady = '0+10x1500';
  const tenfold = '0+1x1500 1500+100x30';
  const other = '{stream="_other"}';
  const worker = '{target="worker"}';
  type Series = string | Readonly<Record<string, string>>;
  const cases: readonly (readonly [alert: string, series: Series, values: string, minute: number, fires: boolean])[] = [
    ['RivuletConnectionsDropped', dropped, '0x5 500x5', 10, true],
    ['RivuletConnectionsDropped', dropped, '0x10', 10, false],
    ['RivuletClientsReconnect', opened, steady, 90, false],
    ['RivuletClientsReconnect', opened, steady, 1_490, false],
    ['RivuletClientsReconnect', opened, tenfold, 1_530, true],
    ['RivuletCredentialsRefused', refused, steady, 90, false],
    ['RivuletCredentialsRefused', refused, tenfold, 1_530, true],
    // A single failure in the night pages nobody.
    ['RivuletConnectionsDropped', dropped, '0x5 1x20', 10, false],
    ['RivuletClientsReconnect', opened, '0x1500 0+1x30', 1_530, false],
    ['RivuletCredentialsRefused', refused, '0x1500 0+1x30', 1_530, false],
    ...eachMinute('RivuletWritesFail', 'rivulet_store_writes_failed_total{store="stream"}', {}, [1, 10]),
    ...eachMinute('RivuletFunctionMissing', 'rivulet_calls_total{target="none"}', {}, [1, 10]),
    ...eachMinute('RivuletCallsFail', `rivulet_calls_failed_total${worker}`, { [`rivulet_calls_total${worker}`]: '0+20x40' }, [1, 10]),
    ...eachMinute(
      'RivuletClientsLag',
      `rivulet_stream_lagged_total${other}`,
      { [`rivulet_stream_deliveries_total${other}`]: '0+20x40' },
      [5, 50],
    ),
    ...eachMinute(
      'RivuletJoinsRefused',
      'rivulet_stream_joins_refused_total{reason="refused"}',
      { [`rivulet_stream_joins_total${other}`]: '0+8x40' },
      [1, 10],
    ),
    ...eachMinute(
      'RivuletHistoryLost',
      'rivulet_stream_resyncs_total{reason="epoch"}',
      { [`rivulet_stream_joins_total${other}`]: '0+500x40' },
      [4, 40],
    ),
    ...eachMinute(
      'RivuletTriggersFail',
      'rivulet_triggers_failed_total{type="state"}',
      { 'rivulet_triggers_fired_total{type="state"}': '0+50x40' },
      [0.9, 10],
    ),
    ...eachMinute(
      'RivuletHttpErrors',
      'rivulet_http_responses_total{result="5xx"}',
      { 'rivulet_http_responses_total{result="2xx"}': '0+20x40' },
      [1.5, 10],
    ),
    [
      'RivuletClientsBehind',
      { [`rivulet_stream_subscriptions_catching_up${other}`]: '90x40', [`rivulet_stream_subscriptions${other}`]: '100x40' },
      '',
      30,
      false,
    ],
    [
      'RivuletClientsBehind',
      { [`rivulet_stream_subscriptions_catching_up${other}`]: '900x40', [`rivulet_stream_subscriptions${other}`]: '1000x40' },
      '',
      30,
      true,
    ],
  ];
  const tests = cases.map(([alert, series, values, minute, fires]) => ({
    interval: '1m',
    input_series:
      typeof series === 'string' ? [{ series, values }] : Object.entries(series).map(([name, value]) => ({ series: name, values: value })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: `${minute}m`,
        exp_samples: fires ? [{ labels: '{}', value: 1 }] : [],
      },
    ],
  }));
  const directory = directoryWith({
    'alerts.json': JSON.stringify({ rule_files: [join(MONITORING, 'rules.yml')], evaluation_interval: '5m', tests }),
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
    'rivulet_stream_subscriptions{stream="_other"} 1',
    'rivulet_stream_joins_total{stream="_other"} 1',
    'rivulet_stream_changes_total{stream="_other"} 1',
    'rivulet_stream_deliveries_total{stream="_other"} 1',
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
