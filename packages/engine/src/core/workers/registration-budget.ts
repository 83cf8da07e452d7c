import { LIMITS } from '@rivulet/protocol';

export interface RegistrationBounds {
  readonly registrations: number;
  readonly chars: number;
}

/** Counts the registrations of all connections of one kind, trusted workers or guests, against their bounds. */
export class RegistrationBudget {
  readonly #bounds: RegistrationBounds;
  #registrations = 0;
  #chars = 0;

  constructor(bounds: RegistrationBounds) {
    this.#bounds = bounds;
  }

  get registrations(): number {
    return this.#registrations;
  }

  get chars(): number {
    return this.#chars;
  }

  /** Adds registrations and their text. Returns false when that would exceed a bound, and adds nothing. Negative numbers always fit. */
  take(registrations: number, chars: number): boolean {
    const count = this.#registrations + registrations;
    const total = this.#chars + chars;
    if ((registrations > 0 && count > this.#bounds.registrations) || (chars > 0 && total > this.#bounds.chars)) return false;
    this.#registrations = count;
    this.#chars = total;
    return true;
  }
}

/** The budgets of one engine. Guests take no capacity from trusted workers. */
export class RegistrationBudgets {
  readonly trusted = new RegistrationBudget({ registrations: LIMITS.registrations, chars: LIMITS.allRegistrationChars });
  readonly guests = new RegistrationBudget({ registrations: LIMITS.guestRegistrations, chars: LIMITS.guestRegistrationChars });
}
