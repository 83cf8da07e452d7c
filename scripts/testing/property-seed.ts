import { configureGlobal } from 'fast-check';

/**
 * Property tests draw the same cases in each run, so that an unchanged commit always has the same result. `RIVULET_SEED` draws other cases;
 * with `RIVULET_CLIENT_RUNS=100000` it searches for rare faults of the client.
 */
const seed = Number(process.env.RIVULET_SEED ?? 20_261);

configureGlobal({ seed });
