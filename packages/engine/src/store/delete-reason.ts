/** Why an item is deleted that no call deletes: its time to live is over, its lease has ended, or a bound of its group applies. */
export type DeleteReason = 'ttl' | 'lease' | 'bound';
