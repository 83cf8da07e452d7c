import { testPresenceAndCalls, testRooms } from '../framework-run.js';
import { renderOnServer } from '../svelte-components.js';

testRooms('svelte', renderOnServer);
testPresenceAndCalls('svelte');
