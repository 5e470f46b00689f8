/** INT 09h and INT 16h: scan codes become key strokes in the buffer of the BIOS data area, and programs take them. */

import { BDA_SEGMENT, Bda, type BiosMemory } from "./bios-memory.ts";
import type { BiosCall } from "./bios-processor.ts";
import { keyStroke, Scan } from "./scan-codes.ts";

/** Flags at 40:17 and 40:18 (Phoenix, "System BIOS", table 3-5). */
const Shift = {
  Right: 1 << 0,
  Left: 1 << 1,
  Control: 1 << 2,
  Alt: 1 << 3,
  ScrollLock: 1 << 4,
  NumLock: 1 << 5,
  CapsLock: 1 << 6,
} as const;
/** At 40:96: the last code was E0H. */
const LAST_WAS_E0 = 1 << 1;
const MODIFIERS: Readonly<Record<number, number>> = {
  [Scan.RightShift]: Shift.Right,
  [Scan.LeftShift]: Shift.Left,
  [Scan.Control]: Shift.Control,
  [Scan.Alt]: Shift.Alt,
};
const LOCKS: Readonly<Record<number, number>> = {
  [Scan.ScrollLock]: Shift.ScrollLock,
  [Scan.NumLock]: Shift.NumLock,
  [Scan.CapsLock]: Shift.CapsLock,
};
/** What keys of the 101-key keyboard have as their character. */
const EXTENDED_ASCII = 0xe0;

/** The keyboard's side. */
export interface KeyboardPort {
  /** Reads port 60H. */
  readCode(): number;
  /** Somebody looks for a key: one that was typed may come. */
  wanted(): void;
}

export class KeyboardServices {
  constructor(
    private readonly memory: BiosMemory,
    private readonly port: KeyboardPort,
  ) {}

  /** INT 09h: the controller has a scan code. */
  interrupt(): void {
    const { memory } = this;
    const code = this.port.readCode();
    const mode = memory.u8(Bda.KEYBOARD_MODE);
    if (code === Scan.Extended) {
      memory.putU8(Bda.KEYBOARD_MODE, mode | LAST_WAS_E0);
      return;
    }
    const isExtended = (mode & LAST_WAS_E0) !== 0;
    memory.putU8(Bda.KEYBOARD_MODE, mode & ~LAST_WAS_E0);
    this.key(code & ~Scan.Break, (code & Scan.Break) !== 0, isExtended);
  }

  private key(scan: number, isBreak: boolean, isExtended: boolean): void {
    const { memory } = this;
    const flags = memory.u8(Bda.SHIFT_FLAGS);
    const modifier = MODIFIERS[scan];
    if (modifier !== undefined) {
      if (isExtended && (scan === Scan.LeftShift || scan === Scan.RightShift)) return; // the keyboard's own
      memory.putU8(Bda.SHIFT_FLAGS, isBreak ? flags & ~modifier : flags | modifier);
      return;
    }
    if (isBreak) return;
    const lock = LOCKS[scan];
    if (lock !== undefined && !isExtended) {
      memory.putU8(Bda.SHIFT_FLAGS, flags ^ lock);
      return;
    }
    const stroke = keyStroke(scan, {
      shift: (flags & (Shift.Left | Shift.Right)) !== 0,
      control: (flags & Shift.Control) !== 0,
      alt: (flags & Shift.Alt) !== 0,
      capsLock: (flags & Shift.CapsLock) !== 0,
    });
    if (stroke === undefined) return;
    const isNavigation = isExtended && stroke.ascii === 0;
    this.put((stroke.scan << 8) | (isNavigation ? EXTENDED_ASCII : stroke.ascii));
  }

  // ---- the buffer: offsets in segment 40H ----

  private get start(): number {
    return this.memory.u16(Bda.KEYBOARD_START) || Bda.KEYBOARD_BUFFER - BDA_SEGMENT * 16;
  }

  private get end(): number {
    return this.memory.u16(Bda.KEYBOARD_END) || this.start + 32;
  }

  private after(pointer: number): number {
    return pointer + 2 >= this.end ? this.start : pointer + 2;
  }

  get isEmpty(): boolean {
    return this.memory.u16(Bda.KEYBOARD_HEAD) === this.memory.u16(Bda.KEYBOARD_TAIL);
  }

  /** @returns false if the buffer is full */
  private put(stroke: number): boolean {
    const { memory } = this;
    const tail = memory.u16(Bda.KEYBOARD_TAIL);
    const next = this.after(tail);
    if (next === memory.u16(Bda.KEYBOARD_HEAD)) return false;
    memory.putU16(BDA_SEGMENT * 16 + tail, stroke);
    memory.putU16(Bda.KEYBOARD_TAIL, next);
    return true;
  }

  private peek(): number {
    return this.memory.u16(BDA_SEGMENT * 16 + this.memory.u16(Bda.KEYBOARD_HEAD));
  }

  private take(): void {
    this.memory.putU16(Bda.KEYBOARD_HEAD, this.after(this.memory.u16(Bda.KEYBOARD_HEAD)));
  }

  // ---- INT 16h ----

  serve(call: BiosCall): void {
    const { registers } = call;
    const { memory } = this;
    switch (registers.ah) {
      case 0x00:
      case 0x10:
        this.read(call);
        return;
      case 0x01:
      case 0x11:
        this.look(call);
        return;
      case 0x02:
        registers.al = memory.u8(Bda.SHIFT_FLAGS);
        return;
      case 0x12:
        registers.ax = memory.u8(Bda.SHIFT_FLAGS) | (memory.u8(Bda.SHIFT_FLAGS_2) << 8);
        return;
      case 0x03: // typematic rate
        return;
      case 0x05:
        registers.al = this.put(registers.cx) ? 0 : 1;
        return;
      case 0x09: // which of these there are: all but rate reading
        registers.al = 0x30;
        return;
      case 0x0a:
        registers.bx = 0x41ab; // the keyboard's identification
        return;
    }
  }

  private read(call: BiosCall): void {
    const { registers } = call;
    this.port.wanted();
    if (this.isEmpty) {
      call.waitForInterrupt();
      return;
    }
    const stroke = this.peek();
    this.take();
    registers.ax = forCaller(stroke, registers.ah);
  }

  private look(call: BiosCall): void {
    const { registers } = call;
    this.port.wanted();
    call.setZero(this.isEmpty);
    if (!this.isEmpty) registers.ax = forCaller(this.peek(), registers.ah);
  }
}

/** Programs that ask by 00h and 01h know of no E0H. */
function forCaller(stroke: number, command: number): number {
  const isOld = command < 0x10;
  return isOld && (stroke & 0xff) === EXTENDED_ASCII && stroke >> 8 !== 0 ? stroke & 0xff00 : stroke;
}
