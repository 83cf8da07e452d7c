/** Lets callers wait for a condition. Each ring makes them evaluate it again. */
export class Bell {
  #waiting: (() => void)[] = [];

  ring(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const evaluate of waiting) evaluate();
  }

  /** Evaluates the condition at each ring. Resolves with true when it holds, or with false after this time. */
  until(condition: () => boolean, milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      let over = false;
      const end = (answer: boolean) => {
        over = true;
        clearTimeout(timer);
        resolve(answer);
      };
      const timer = setTimeout(() => end(condition()), milliseconds);
      const evaluate = () => {
        if (over) return;
        if (condition()) end(true);
        else this.#waiting.push(evaluate);
      };
      evaluate();
    });
  }
}
