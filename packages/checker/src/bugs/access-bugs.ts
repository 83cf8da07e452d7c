import { type Bug, bug, onceIn } from './bug.js';

export const ACCESS_BUGS: readonly Bug[] = [
  bug('allow-on-throw', 'I11', 'a subscription is allowed although its join function failed', () => {
    const strikes = onceIn(2);
    return {
      triggers: (triggers) => {
        const decide = triggers.decide.bind(triggers);
        triggers.decide = async (event) => {
          const decision = await decide(event);
          return decision.allowed || !strikes() ? decision : { allowed: true, lease: undefined };
        };
        return triggers;
      },
    };
  }),
  bug('leave-not-fired', 'I12', 'the leave function is not called', () => {
    const strikes = onceIn(3);
    return {
      triggers: (triggers) => {
        const left = triggers.left.bind(triggers);
        triggers.left = (event) => {
          if (!strikes()) left(event);
        };
        return triggers;
      },
    };
  }),
  bug('leave-fired-twice', 'I12', 'the leave function is called twice', () => {
    const strikes = onceIn(3);
    return {
      triggers: (triggers) => {
        const left = triggers.left.bind(triggers);
        triggers.left = (event) => {
          left(event);
          if (strikes()) left(event);
        };
        return triggers;
      },
    };
  }),
  bug('timer-leaks', 'I14', 'each connection leaves a timer behind', () => ({
    connection: (connection) => {
      setInterval(() => connection.open, 1_000);
      return connection;
    },
  })),
];
