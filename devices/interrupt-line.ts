/** Wires that ask for attention: a level that a device sets and an interrupt controller samples. */

export interface InterruptLine {
  /** Drives the wire; setting the level it already has changes nothing. */
  set(level: boolean): void;
}

/** A wire that leads nowhere. */
export const UNCONNECTED: InterruptLine = { set() {} };

/** One wire to several controllers: an ISA interrupt reaches the 8259 and the I/O APIC. */
export function fanOut(...lines: readonly InterruptLine[]): InterruptLine {
  return {
    set(level) {
      for (const line of lines) line.set(level);
    },
  };
}

/** Several devices on one wire (PCI's INTx): it is up while any of them holds it up. */
export class SharedLine {
  private up = 0;

  constructor(private readonly target: InterruptLine) {}

  /** One device's end of the wire. */
  input(): InterruptLine {
    let mine = false;
    return {
      set: (level) => {
        if (level === mine) return;
        mine = level;
        this.up += level ? 1 : -1;
        this.target.set(this.up > 0);
      },
    };
  }
}
