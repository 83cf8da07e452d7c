import { newRooms } from './framework-page.js';

/** The components of Svelte and the test share it. */
export const rooms = newRooms();
