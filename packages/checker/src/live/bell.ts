/** Rings whenever something happened that somebody may wait for. */
export class Bell {
  #waiting: (() => void)[] = [];

  ring(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const look of waiting) look();
  }

  /** Looks at each ring; answers whether the condition became true within that time. */
  until(condition: () => boolean, milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      let over = false;
      const end = (answer: boolean) => {
        over = true;
        clearTimeout(timer);
        resolve(answer);
      };
      const timer = setTimeout(() => end(condition()), milliseconds);
      const look = () => {
        if (over) return;
        if (condition()) end(true);
        else this.#waiting.push(look);
      };
      look();
    });
  }
}
