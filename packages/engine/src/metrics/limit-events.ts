/** A section of docs/limits.md, and the limits of it whose reaching an event of the log reports. */
interface LimitEvent {
  readonly section: string;
  readonly limits: readonly string[];
}

const VALUES = 'names-values-and-messages';
const QUEUES = 'calls-and-queues-of-worker-connections';
const REGISTRATIONS = 'registrations';
const LOGS = 'logs-and-the-stop-of-the-engine';
const CLIENTS = 'stream-clients';
const HTTP = 'http';
const CONNECTIONS = 'connections-and-upgrades';

/**
 * The events of the log that report a limit and nothing else, each with the limits that it may report. A test compares them with
 * docs/limits.md.
 */
export const LIMIT_EVENTS: Readonly<Record<string, LimitEvent>> = {
  join_ignored: { section: VALUES, limits: ['idBytes', 'subscriptionsPerConnection', 'liveJoins'] },
  unfinished_messages_full: { section: VALUES, limits: ['workersUnfinishedBytes', 'sessionsUnfinishedBytes'] },
  message_deadline: { section: VALUES, limits: ['messageAssemblyMs'] },
  answers_unread: { section: QUEUES, limits: ['guestAnswerBytes'] },
  worker_outbound_full: { section: QUEUES, limits: ['guestOutboundBytes', 'workerOutboundBytes'] },
  held_frames_full: { section: REGISTRATIONS, limits: ['heldFrames', 'heldFrameChars'] },
  namespace_wait_full: {
    section: REGISTRATIONS,
    limits: ['heldFrames', 'heldFrameChars', 'namespaceHeldFrames', 'namespaceHeldChars'],
  },
  namespace_refused: { section: REGISTRATIONS, limits: ['namespaces'] },
  registration_refused: {
    section: REGISTRATIONS,
    limits: [
      'registrationsPerWorker',
      'registrationChars',
      'registrationsPerGuest',
      'registrationCharsPerGuest',
      'registrations',
      'allRegistrationChars',
      'guestRegistrations',
      'guestRegistrationChars',
    ],
  },
  trigger_overflow: { section: REGISTRATIONS, limits: ['workerEvents', 'pendingPerTrigger', 'pendingTriggerChars'] },
  announcement_shortened: { section: LOGS, limits: ['labelChars'] },
  worker_log_left_out: { section: LOGS, limits: ['workerLogLinesPerSecond', 'workerLogLinesBurst'] },
  log_lines_left_out: {
    section: LOGS,
    limits: ['workerLogsPerSecond', 'logLinesPerSecond', 'debugLinesPerSecond', 'adminActionLinesPerSecond', 'allLogLinesPerSecond'],
  },
  calls_cut_off: { section: LOGS, limits: ['drainMs'] },
  lingering_groups_evicted: { section: CLIENTS, limits: ['lingeringGroups', 'lingeringLogBytes'] },
  snapshot_abandoned: { section: CLIENTS, limits: ['snapshotStallMs'] },
  store_reads_ended: { section: CLIENTS, limits: ['readViewMs', 'readViewBytes'] },
  spool_full: { section: CLIENTS, limits: ['spoolBytes', 'spoolFiles'] },
  stream_clients_sent_away: { section: CLIENTS, limits: ['outageKeepMs'] },
  call_answers_unread: { section: 'calls-of-stream-clients', limits: ['clientInFlightCalls'] },
  lease_refused: { section: 'leases-and-authentication', limits: ['leases'] },
  auth_queue_full: { section: 'leases-and-authentication', limits: ['authWaiting'] },
  channel_writers_take_turns: { section: 'channels-and-adapters', limits: ['guestChannelUnfinishedBytes'] },
  idle_connections_evicted: {
    section: HTTP,
    limits: ['httpConnections', 'waitingPerAddress', 'listenerConnections', 'adminConnections'],
  },
  connections_dropped: { section: HTTP, limits: ['httpConnections', 'listenerConnections', 'adminConnections'] },
  http_pipeline_refused: { section: HTTP, limits: ['httpPipelined', 'httpPipelinedChars'] },
  upgrade_refused_busy: { section: CONNECTIONS, limits: ['pendingUpgrades', 'pendingUpgradeChars'] },
  telemetry_refused: { section: CONNECTIONS, limits: ['telemetrySockets', 'telemetrySocketsPerAddress'] },
  live_connections_full: { section: CONNECTIONS, limits: ['liveConnections'] },
};
