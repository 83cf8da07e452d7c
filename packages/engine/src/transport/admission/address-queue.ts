/**
 * A bounded queue. It serves the groups of addresses in turn, and the members of a group in the order of their arrival. When it is full,
 * the newest member of the largest group loses its place.
 */
export class AddressQueue<T extends object> {
  readonly #groups = new Map<string, Set<T>>();
  readonly #most: number;
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a member. Returns the member that loses its place: none, the newest member of the largest group, or the new member itself. */
  add(group: string, member: T): T | undefined {
    const crowded = this.#size < this.#most ? undefined : this.#makeRoom(group, member);
    if (crowded === member) return member;
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Set([member]));
    else members.add(member);
    this.#size++;
    return crowded;
  }

  /** Removes a member, if it waits. */
  delete(group: string, member: T): void {
    const members = this.#groups.get(group);
    if (members?.delete(member) !== true) return;
    this.#size--;
    if (members.size === 0) this.#groups.delete(group);
  }

  /** Removes and returns the member whose turn it is. */
  next(): T | undefined {
    for (const [group, members] of this.#groups) {
      const [member] = members;
      if (member === undefined) continue;
      this.delete(group, member);
      // The served group moves behind all others.
      if (this.#groups.delete(group)) this.#groups.set(group, members);
      return member;
    }
    return undefined;
  }

  #makeRoom(group: string, member: T): T | undefined {
    let largest = group;
    let most = (this.#groups.get(group)?.size ?? 0) + 1;
    for (const [other, { size }] of this.#groups) {
      if (size <= most) continue;
      largest = other;
      most = size;
    }
    if (largest === group) return member;
    const newest = [...(this.#groups.get(largest) ?? [])].at(-1);
    if (newest !== undefined) this.delete(largest, newest);
    return newest;
  }
}
