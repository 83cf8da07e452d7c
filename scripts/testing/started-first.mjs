/**
 * The test files that start first, in this order, without `.test.ts`. They take longest. Files that mostly wait stand between files that
 * compute, so that the processors stay busy and no long file runs alone at the end. The last lines of `npm test` show the heaviest files.
 *
 * @type {readonly string[]}
 */
export const STARTED_FIRST = [
  'bench/test/system/bench',
  'scripts/test/system/container',
  'scripts/test/system/site',
  'packages/conformance/test/integration/motia-auth',
  'packages/checker/test/system/fuzz',
  'packages/conformance/test/integration/sdk-idle',
  'packages/conformance/test/system/sdk-python',
  'packages/conformance/test/system/million-items',
  'examples/many-engines/test/system/deployment',
  'packages/engine/test/system/redis-cluster-faults',
  'packages/conformance/test/system/motia',
  'scripts/test/system/runtimes',
  'examples/chat-and-presence/test/system/chat-and-presence',
  'packages/conformance/test/system/attacks',
  'packages/conformance/test/system/store-full',
  'packages/conformance/test/system/killed-tools',
  'examples/sql-adapter/test/system/example',
  'packages/conformance/test/system/kill-nine',
  'packages/conformance/test/system/redis-outage',
  'packages/conformance/test/system/redis-engines',
  'packages/checker/test/system/live-round',
  'packages/conformance/test/integration/sdk-restart',
  'packages/conformance/test/system/store-redis',
  'packages/conformance/test/integration/rbac-official',
  'packages/engine/test/system/redis-cluster',
  'packages/conformance/test/system/store-slow-sync',
];
