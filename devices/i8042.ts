/**
 * The keyboard controller of a PC: Intel 8042 as in the IBM AT Technical Reference (1984), section 1 "Keyboard
 * Controller". Behind it is a keyboard that identifies itself and types nothing by itself; a front end feeds scan codes.
 */

import type { AccessSize, Bus } from "./bus.ts";
import type { InterruptLine } from "./interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

const DATA = 0x60;
const STATUS_COMMAND = 0x64;

const Status = {
  OutputFull: 1 << 0,
  System: 1 << 2,
  Command: 1 << 3,
  Inhibit: 1 << 4,
  Auxiliary: 1 << 5,
} as const;

/** Command byte. */
const Mode = {
  KeyboardInterrupt: 1 << 0,
  System: 1 << 2,
  KeyboardDisabled: 1 << 4,
  AuxDisabled: 1 << 5,
  Translate: 1 << 6,
} as const;

/** What the controller is told through port 64H. */
const Command = {
  ReadMode: 0x20,
  WriteMode: 0x60,
  DisableAux: 0xa7,
  EnableAux: 0xa8,
  TestAux: 0xa9,
  SelfTest: 0xaa,
  TestKeyboard: 0xab,
  DisableKeyboard: 0xad,
  EnableKeyboard: 0xae,
  ReadInput: 0xc0,
  ReadOutput: 0xd0,
  WriteOutput: 0xd1,
  WriteOutputBuffer: 0xd2,
  WriteAux: 0xd4,
  PulseOutput: 0xf0,
} as const;

/** Output port: bit 0 low resets the processor, bit 1 is A20. */
const OUTPUT_RESET = 1 << 0;
const OUTPUT_A20 = 1 << 1;

const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
/** MF2 keyboard (IBM PS/2 Technical Reference, "Read ID"). */
const KEYBOARD_ID = [0xab, 0x83] as const;
/** The keyboard has a buffer of 16 codes; answers come on top. */
const QUEUE_LIMIT = 32;

export interface I8042Outputs {
  /** Output bit 0 went low. */
  reset(): void;
  /** Output bit 1. */
  a20(enabled: boolean): void;
}

export class I8042 implements Saveable {
  private mode: number = Mode.KeyboardInterrupt | Mode.System | Mode.Translate | Mode.AuxDisabled;
  private outputPort = OUTPUT_RESET | OUTPUT_A20;
  /** The command whose parameter is expected at port 60H. */
  private pendingCommand = 0;
  /** The keyboard's own command whose parameter is expected. */
  private pendingKeyboard = 0;
  private scanning = true;
  private lastWriteWasCommand = false;
  private queue: number[] = [];

  constructor(
    private readonly irq1: InterruptLine,
    private readonly outputs: I8042Outputs,
  ) {}

  mapOn(bus: Bus): void {
    bus.mapPorts(DATA, 1, {
      readPort: () => this.readData(),
      writePort: (_offset: number, _size: AccessSize, value: number) => this.writeData(value),
    });
    bus.mapPorts(STATUS_COMMAND, 1, {
      readPort: () => this.status,
      writePort: (_offset: number, _size: AccessSize, value: number) => this.command(value),
    });
  }

  reset(): void {
    this.mode = Mode.KeyboardInterrupt | Mode.System | Mode.Translate | Mode.AuxDisabled;
    this.outputPort = OUTPUT_RESET | OUTPUT_A20;
    this.pendingCommand = 0;
    this.pendingKeyboard = 0;
    this.scanning = true;
    this.queue = [];
    this.update();
  }

  /** A scan code of set 1 (after translation), as a front end types it. */
  type(code: number): void {
    if (this.scanning && (this.mode & Mode.KeyboardDisabled) === 0) this.answer(code);
  }

  /** Everything that was typed has been read. */
  get isIdle(): boolean {
    return this.queue.length === 0;
  }

  private answer(...bytes: number[]): void {
    for (const byte of bytes) if (this.queue.length < QUEUE_LIMIT) this.queue.push(byte);
    this.update();
  }

  private update(): void {
    this.irq1.set(this.queue.length > 0 && (this.mode & Mode.KeyboardInterrupt) !== 0);
  }

  private get status(): number {
    return (
      (this.queue.length > 0 ? Status.OutputFull : 0) |
      (this.mode & Status.System) |
      (this.lastWriteWasCommand ? Status.Command : 0) |
      Status.Inhibit
    );
  }

  private readData(): number {
    const byte = this.queue.shift() ?? 0;
    this.irq1.set(false); // the next byte makes an edge of its own
    this.update();
    return byte;
  }

  private command(command: number): void {
    this.lastWriteWasCommand = true;
    this.pendingCommand = 0;
    switch (command) {
      case Command.ReadMode:
        this.answer(this.mode);
        return;
      case Command.WriteMode:
      case Command.WriteOutput:
      case Command.WriteOutputBuffer:
      case Command.WriteAux:
        this.pendingCommand = command;
        return;
      case Command.DisableAux:
        this.mode |= Mode.AuxDisabled;
        return;
      case Command.EnableAux:
        this.mode &= ~Mode.AuxDisabled;
        return;
      case Command.TestAux: // there is no mouse: the clock line is stuck
        this.answer(0x02);
        return;
      case Command.SelfTest:
        this.mode |= Mode.System;
        this.answer(0x55);
        return;
      case Command.TestKeyboard:
        this.answer(0x00);
        return;
      case Command.DisableKeyboard:
        this.mode |= Mode.KeyboardDisabled;
        return;
      case Command.EnableKeyboard:
        this.mode &= ~Mode.KeyboardDisabled;
        return;
      case Command.ReadInput:
        this.answer(0x80); // not locked
        return;
      case Command.ReadOutput:
        this.answer(this.outputPort | (this.queue.length > 0 ? 0x10 : 0));
        return;
      default:
        // Pulses the output bits whose bit is zero; only bit 0 is wired to something that notices.
        if (command >= Command.PulseOutput && (command & OUTPUT_RESET) === 0) this.outputs.reset();
    }
  }

  private writeData(value: number): void {
    const command = this.pendingCommand;
    this.lastWriteWasCommand = false;
    this.pendingCommand = 0;
    switch (command) {
      case Command.WriteMode:
        this.mode = value;
        this.update();
        return;
      case Command.WriteOutput:
        this.writeOutput(value);
        return;
      case Command.WriteOutputBuffer:
        this.answer(value);
        return;
      case Command.WriteAux: // nobody answers
        return;
      default:
        this.keyboard(value);
    }
  }

  private writeOutput(value: number): void {
    const before = this.outputPort;
    this.outputPort = value;
    if (((before ^ value) & OUTPUT_A20) !== 0) this.outputs.a20((value & OUTPUT_A20) !== 0);
    if ((value & OUTPUT_RESET) === 0) this.outputs.reset();
  }

  /** Commands to the keyboard itself (IBM AT Technical Reference, section 4). */
  private keyboard(value: number): void {
    this.mode &= ~Mode.KeyboardDisabled; // sending enables it
    const command = this.pendingKeyboard;
    this.pendingKeyboard = 0;
    if (command !== 0) {
      // Parameter of ED (lamps), F0 (scan code set; 0 asks) or F3 (typing rate).
      this.answer(ACK);
      if (command === 0xf0 && value === 0) this.answer(0x02);
      return;
    }
    switch (value) {
      case 0xed:
      case 0xf0:
      case 0xf3:
        this.pendingKeyboard = value;
        this.answer(ACK);
        return;
      case 0xee: // echo
        this.answer(0xee);
        return;
      case 0xf2: // the second byte as translated to set 1
        this.answer(ACK, KEYBOARD_ID[0], (this.mode & Mode.Translate) !== 0 ? 0x41 : KEYBOARD_ID[1]);
        return;
      case 0xf4:
        this.scanning = true;
        this.answer(ACK);
        return;
      case 0xf5:
        this.scanning = false;
        this.answer(ACK);
        return;
      case 0xf6:
        this.answer(ACK);
        return;
      case 0xff:
        this.scanning = true;
        this.queue = [];
        this.answer(ACK, SELF_TEST_PASSED);
        return;
      default:
        this.answer(value >= 0xed ? ACK : RESEND);
    }
  }

  save(): SavedState {
    return {
      version: 1,
      mode: this.mode,
      outputPort: this.outputPort,
      pendingCommand: this.pendingCommand,
      pendingKeyboard: this.pendingKeyboard,
      scanning: this.scanning,
      lastWriteWasCommand: this.lastWriteWasCommand,
      queue: new Uint8Array(this.queue),
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("8042", saved, 1);
    this.mode = state.u8("mode");
    this.outputPort = state.u8("outputPort");
    this.pendingCommand = state.u8("pendingCommand");
    this.pendingKeyboard = state.u8("pendingKeyboard");
    this.scanning = state.boolean("scanning");
    this.lastWriteWasCommand = state.boolean("lastWriteWasCommand");
    this.queue = [...state.bytes("queue").subarray(0, QUEUE_LIMIT)];
    this.update();
  }
}
