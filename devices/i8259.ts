/**
 * The pair of 8259A interrupt controllers of a PC. Intel 8259A datasheet (231468-003, 1988); the edge/level registers
 * 4D0H and 4D1H are the PIIX's and ICH's (ICH9 datasheet, 13.4.4).
 */

import type { AccessSize, Bus, PortDevice } from "./bus.ts";
import type { InterruptLine } from "./interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

/** A0 = 0 writes: which word it is (figures 7 and 8). */
const ICW1 = 1 << 4;
const ICW1_IC4 = 1 << 0;
const ICW1_SNGL = 1 << 1;
const OCW3 = 1 << 3;
const ICW4_AEOI = 1 << 1;
const ICW4_SFNM = 1 << 4;

/** Inputs of the second controller that cannot be level-triggered, and of the first: the system's own interrupts. */
const ELCR_WRITABLE = [0xf8, 0xde] as const;

/** One controller: eight inputs and an output. */
class Controller implements Saveable {
  irr = 0;
  isr = 0;
  imr = 0;
  elcr = 0;
  /** Levels at the pins. */
  private pins = 0;
  private base = 0;
  /** The input with the lowest priority; the one behind it has the highest. */
  private lowest = 7;
  /** Initialisation words still to come: 0 none, 2…4 the next. */
  private expected = 0;
  private needsIcw4 = false;
  private single = false;
  private autoEoi = false;
  private rotateOnAutoEoi = false;
  private fullyNested = false;
  private specialMask = false;
  private readIsr = false;
  private poll = false;

  /** @param output INT */
  constructor(
    private readonly isMaster: boolean,
    private readonly elcrWritable: number,
    private readonly output: InterruptLine,
  ) {}

  reset(): void {
    this.irr &= this.elcr & this.pins;
    this.isr = 0;
    this.imr = 0;
    this.base = 0;
    this.lowest = 7;
    this.expected = 0;
    this.needsIcw4 = false;
    this.single = false;
    this.autoEoi = false;
    this.rotateOnAutoEoi = false;
    this.fullyNested = false;
    this.specialMask = false;
    this.readIsr = false;
    this.poll = false;
    this.update();
  }

  set(input: number, level: boolean): void {
    const bit = 1 << input;
    if (level) {
      if ((this.elcr & bit) !== 0 || (this.pins & bit) === 0) this.irr |= bit;
      this.pins |= bit;
    } else {
      this.pins &= ~bit;
      // A level request goes with its level. An edge stays latched, as in the chipsets' 8259s: our devices' edges may be
      // shorter than the time to INTA, for which the 8259A's datasheet would answer with a spurious interrupt.
      if ((this.elcr & bit) !== 0) this.irr &= ~bit;
    }
    this.update();
  }

  /** Inputs in falling priority; the position of the first that is set, or 8. */
  private position(set: number): number {
    for (let at = 0; at < 8; at++) if ((set & (1 << ((this.lowest + 1 + at) & 7))) !== 0) return at;
    return 8;
  }

  /** The input to serve next, or -1. */
  private request(): number {
    const waiting = this.position(this.irr & ~this.imr);
    if (waiting === 8) return -1;
    let inService = this.isr;
    if (this.specialMask) inService &= ~this.imr;
    // Special fully nested mode: the slave may interrupt itself with something more important.
    if (this.fullyNested && this.isMaster) inService &= ~(1 << CASCADE);
    return waiting < this.position(inService) ? (this.lowest + 1 + waiting) & 7 : -1;
  }

  private update(): void {
    this.output.set(this.request() >= 0);
  }

  /** INTA: which input it is for; 7 if the request has gone (datasheet: "spurious"). */
  acknowledge(): { input: number; vector: number } {
    const input = this.request();
    if (input < 0) return { input: -1, vector: this.base + 7 };
    const bit = 1 << input;
    if (this.autoEoi) {
      if (this.rotateOnAutoEoi) this.lowest = input;
    } else this.isr |= bit;
    if ((this.elcr & bit) === 0) this.irr &= ~bit;
    this.update();
    return { input, vector: this.base + input };
  }

  read(a0: number): number {
    if (this.poll) {
      this.poll = false;
      const { input } = this.acknowledge();
      return input < 0 ? 0 : 0x80 | input;
    }
    if (a0 === 1) return this.imr;
    return this.readIsr ? this.isr : this.irr;
  }

  write(a0: number, value: number): void {
    if (a0 === 0) {
      if ((value & ICW1) !== 0) this.initialize(value);
      else if ((value & OCW3) !== 0) this.operationControl3(value);
      else this.operationControl2(value);
      this.update();
      return;
    }
    switch (this.expected) {
      case 2:
        this.base = value & 0xf8;
        this.expected = this.single ? (this.needsIcw4 ? 4 : 0) : 3;
        return;
      case 3: // the wiring of the cascade is fixed
        this.expected = this.needsIcw4 ? 4 : 0;
        return;
      case 4:
        this.autoEoi = (value & ICW4_AEOI) !== 0;
        this.fullyNested = (value & ICW4_SFNM) !== 0;
        this.expected = 0;
        return;
      default:
        this.imr = value;
        this.update();
    }
  }

  private initialize(icw1: number): void {
    this.reset();
    this.irr = 0; // edges have to come again
    this.expected = 2;
    this.needsIcw4 = (icw1 & ICW1_IC4) !== 0;
    this.single = (icw1 & ICW1_SNGL) !== 0;
    // Level inputs that are up ask again at once.
    this.irr = this.pins & this.elcr;
  }

  /** End of interrupt and rotation (figure 8, OCW2: bits R, SL, EOI). */
  private operationControl2(value: number): void {
    const input = value & 7;
    switch (value >>> 5) {
      case 0:
      case 4:
        this.rotateOnAutoEoi = value >>> 5 === 4;
        return;
      case 1:
      case 5: {
        const at = this.position(this.specialMask ? this.isr & ~this.imr : this.isr);
        if (at === 8) return;
        const served = (this.lowest + 1 + at) & 7;
        this.isr &= ~(1 << served);
        if (value >>> 5 === 5) this.lowest = served;
        return;
      }
      case 3:
        this.isr &= ~(1 << input);
        return;
      case 6:
        this.lowest = input;
        return;
      case 7:
        this.isr &= ~(1 << input);
        this.lowest = input;
        return;
      default: // 2: no operation
        return;
    }
  }

  private operationControl3(value: number): void {
    if ((value & 4) !== 0) this.poll = true;
    if ((value & 2) !== 0) this.readIsr = (value & 1) !== 0;
    if ((value & 0x40) !== 0) this.specialMask = (value & 0x20) !== 0;
  }

  writeElcr(value: number): void {
    this.elcr = value & this.elcrWritable;
    this.irr |= this.pins & this.elcr;
    this.update();
  }

  save(): SavedState {
    return {
      version: 1,
      irr: this.irr,
      isr: this.isr,
      imr: this.imr,
      elcr: this.elcr,
      pins: this.pins,
      base: this.base,
      lowest: this.lowest,
      expected: this.expected,
      needsIcw4: this.needsIcw4,
      single: this.single,
      autoEoi: this.autoEoi,
      rotateOnAutoEoi: this.rotateOnAutoEoi,
      fullyNested: this.fullyNested,
      specialMask: this.specialMask,
      readIsr: this.readIsr,
      poll: this.poll,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("8259", saved, 1);
    this.irr = state.u8("irr");
    this.isr = state.u8("isr");
    this.imr = state.u8("imr");
    this.elcr = state.u8("elcr") & this.elcrWritable;
    this.pins = state.u8("pins");
    this.base = state.u8("base") & 0xf8;
    this.lowest = state.integer("lowest", 7);
    this.expected = state.integer("expected", 4);
    this.needsIcw4 = state.boolean("needsIcw4");
    this.single = state.boolean("single");
    this.autoEoi = state.boolean("autoEoi");
    this.rotateOnAutoEoi = state.boolean("rotateOnAutoEoi");
    this.fullyNested = state.boolean("fullyNested");
    this.specialMask = state.boolean("specialMask");
    this.readIsr = state.boolean("readIsr");
    this.poll = state.boolean("poll");
    this.update();
  }
}

/** The slave's output is the master's input 2. */
const CASCADE = 2;
const MASTER_PORT = 0x20;
const SLAVE_PORT = 0xa0;
const ELCR_PORT = 0x4d0;

export class I8259Pair implements Saveable {
  private readonly master: Controller;
  private readonly slave: Controller;

  /** @param intr the output of the pair: the local APIC's LINT0 */
  constructor(intr: InterruptLine) {
    const master = new Controller(true, ELCR_WRITABLE[0], intr);
    this.master = master;
    this.slave = new Controller(false, ELCR_WRITABLE[1], { set: (level) => master.set(CASCADE, level) });
  }

  /** Puts the registers at their usual ports. */
  mapOn(bus: Bus): void {
    bus.mapPorts(MASTER_PORT, 2, registersOf(this.master));
    bus.mapPorts(SLAVE_PORT, 2, registersOf(this.slave));
    const elcr: PortDevice = {
      readPort: (offset: number, _size: AccessSize) => (offset === 0 ? this.master : this.slave).elcr,
      writePort: (offset, _size, value) => (offset === 0 ? this.master : this.slave).writeElcr(value),
    };
    bus.mapPorts(ELCR_PORT, 2, elcr);
  }

  reset(): void {
    for (const controller of [this.slave, this.master]) {
      controller.elcr = 0;
      controller.reset();
    }
  }

  /** IRQ 0…15, without 2. */
  line(irq: number): InterruptLine {
    const controller = irq < 8 ? this.master : this.slave;
    const input = irq & 7;
    return { set: (level) => controller.set(input, level) };
  }

  acknowledge(): number {
    const { input, vector } = this.master.acknowledge();
    return input === CASCADE ? this.slave.acknowledge().vector : vector;
  }

  /** What firmware does before it starts a system: vectors 08H and 70H, everything masked, PCI's inputs by level. */
  initializeAsFirmware(levelInputs: readonly number[]): void {
    for (const [controller, base] of [
      [this.master, 0x08],
      [this.slave, 0x70],
    ] as const) {
      controller.write(0, ICW1 | ICW1_IC4);
      controller.write(1, base);
      controller.write(1, 0);
      controller.write(1, 1); // 8086 mode
      controller.write(1, 0xff);
    }
    const level = levelInputs.reduce((bits, irq) => bits | (1 << irq), 0);
    this.master.writeElcr(level & 0xff);
    this.slave.writeElcr(level >>> 8);
  }

  save(): SavedState {
    return { version: 1, master: this.master.save(), slave: this.slave.save() };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("8259 pair", saved, 1);
    this.slave.restore(state.state("slave"));
    this.master.restore(state.state("master"));
  }
}

function registersOf(controller: Controller): PortDevice {
  return {
    readPort: (offset: number, _size: AccessSize) => controller.read(offset),
    writePort: (offset, _size, value) => controller.write(offset, value),
  };
}
