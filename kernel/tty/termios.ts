/**
 * Terminal attributes as Linux lays them out for x86-64 (include/uapi/asm-generic/termbits.h, termbits-common.h;
 * termios(3) tells what each flag does).
 */

/** c_iflag */
export const InputFlag = {
  IGNBRK: 0o1,
  BRKINT: 0o2,
  IGNPAR: 0o4,
  PARMRK: 0o10,
  INPCK: 0o20,
  ISTRIP: 0o40,
  INLCR: 0o100,
  IGNCR: 0o200,
  ICRNL: 0o400,
  IUCLC: 0o1000,
  IXON: 0o2000,
  IXANY: 0o4000,
  IXOFF: 0o10000,
  IMAXBEL: 0o20000,
  IUTF8: 0o40000,
} as const;

/** c_oflag */
export const OutputFlag = {
  OPOST: 0o1,
  OLCUC: 0o2,
  ONLCR: 0o4,
  OCRNL: 0o10,
  ONOCR: 0o20,
  ONLRET: 0o40,
  OFILL: 0o100,
  OFDEL: 0o200,
  TABDLY: 0o14000,
  XTABS: 0o14000,
} as const;

/** c_cflag */
export const ControlFlag = {
  CBAUD: 0o10017,
  B38400: 0o17,
  BOTHER: 0o10000,
  CSIZE: 0o60,
  CS8: 0o60,
  CREAD: 0o200,
  PARENB: 0o400,
  HUPCL: 0o2000,
  CIBAUD: 0o2003600000,
} as const;

/** c_lflag */
export const LocalFlag = {
  ISIG: 0o1,
  ICANON: 0o2,
  XCASE: 0o4,
  ECHO: 0o10,
  ECHOE: 0o20,
  ECHOK: 0o40,
  ECHONL: 0o100,
  NOFLSH: 0o200,
  TOSTOP: 0o400,
  ECHOCTL: 0o1000,
  ECHOPRT: 0o2000,
  ECHOKE: 0o4000,
  FLUSHO: 0o10000,
  PENDIN: 0o40000,
  IEXTEN: 0o100000,
  EXTPROC: 0o200000,
} as const;

/** Indices of c_cc */
export const ControlCharacter = {
  VINTR: 0,
  VQUIT: 1,
  VERASE: 2,
  VKILL: 3,
  VEOF: 4,
  VTIME: 5,
  VMIN: 6,
  VSWTC: 7,
  VSTART: 8,
  VSTOP: 9,
  VSUSP: 10,
  VEOL: 11,
  VREPRINT: 12,
  VDISCARD: 13,
  VWERASE: 14,
  VLNEXT: 15,
  VEOL2: 16,
} as const;

/** NCCS of the kernel's structures (glibc's own has 32). */
export const CONTROL_CHARACTERS = 19;
/** Bytes of struct termios (TCGETS), struct termios2 (TCGETS2) and the old struct termio (TCGETA). */
export const TERMIOS_SIZE = 36;
export const TERMIOS2_SIZE = 44;
export const TERMIO_SIZE = 18;

/** Line speeds by the low bits of CBAUD (drivers/tty/tty_baudrate.c). */
const SPEEDS = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
const EXTENDED_SPEEDS = [
  0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000,
  3000000, 3500000, 4000000,
];

/** INIT_C_CC of include/linux/termios_internal.h */
const DEFAULT_CHARACTERS = [
  0o3, 0o34, 0o177, 0o25, 0o4, 0, 1, 0, 0o21, 0o23, 0o32, 0, 0o22, 0o17, 0o27, 0o26, 0, 0, 0,
];

export class Termios {
  inputFlags: number = InputFlag.ICRNL | InputFlag.IXON;
  outputFlags: number = OutputFlag.OPOST | OutputFlag.ONLCR;
  controlFlags: number = ControlFlag.B38400 | ControlFlag.CS8 | ControlFlag.CREAD | ControlFlag.HUPCL;
  localFlags: number =
    LocalFlag.ISIG |
    LocalFlag.ICANON |
    LocalFlag.ECHO |
    LocalFlag.ECHOE |
    LocalFlag.ECHOK |
    LocalFlag.ECHOCTL |
    LocalFlag.ECHOKE |
    LocalFlag.IEXTEN;
  line = 0;
  readonly characters = Uint8Array.from(DEFAULT_CHARACTERS);
  inputSpeed = 38400;
  outputSpeed = 38400;

  clone(): Termios {
    const copy = new Termios();
    copy.assign(this);
    return copy;
  }

  assign(from: Termios): void {
    this.inputFlags = from.inputFlags;
    this.outputFlags = from.outputFlags;
    this.controlFlags = from.controlFlags;
    this.localFlags = from.localFlags;
    this.line = from.line;
    this.characters.set(from.characters);
    this.inputSpeed = from.inputSpeed;
    this.outputSpeed = from.outputSpeed;
  }

  /** struct termios, or struct termios2 with the speeds behind it. */
  encode(version: 1 | 2): Uint8Array {
    const bytes = new Uint8Array(version === 2 ? TERMIOS2_SIZE : TERMIOS_SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.inputFlags, true);
    view.setUint32(4, this.outputFlags, true);
    view.setUint32(8, this.controlFlags, true);
    view.setUint32(12, this.localFlags, true);
    bytes[16] = this.line;
    bytes.set(this.characters, 17);
    if (version === 2) {
      view.setUint32(36, this.inputSpeed, true);
      view.setUint32(40, this.outputSpeed, true);
    }
    return bytes;
  }

  /** Takes over what a program gave; tells struct termios from struct termios2 by its size. */
  decode(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.inputFlags = view.getUint32(0, true);
    this.outputFlags = view.getUint32(4, true);
    this.controlFlags = view.getUint32(8, true);
    this.localFlags = view.getUint32(12, true);
    this.line = bytes[16];
    this.characters.set(bytes.subarray(17, 17 + CONTROL_CHARACTERS));
    const speeds =
      bytes.length >= TERMIOS2_SIZE
        ? { input: view.getUint32(36, true), output: view.getUint32(40, true) }
        : undefined;
    this.settleSpeeds(speeds);
  }

  /** struct termio: 16-bit flags and eight control characters. */
  encodeOld(): Uint8Array {
    const bytes = new Uint8Array(TERMIO_SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, this.inputFlags & 0xffff, true);
    view.setUint16(2, this.outputFlags & 0xffff, true);
    view.setUint16(4, this.controlFlags & 0xffff, true);
    view.setUint16(6, this.localFlags & 0xffff, true);
    bytes[8] = this.line;
    bytes.set(this.characters.subarray(0, 8), 9);
    return bytes;
  }

  /** The upper halves of the flags and the other characters stay as they are. */
  decodeOld(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const low = (old: number, at: number): number => ((old & 0xffff0000) | view.getUint16(at, true)) >>> 0;
    this.inputFlags = low(this.inputFlags, 0);
    this.outputFlags = low(this.outputFlags, 2);
    this.controlFlags = low(this.controlFlags, 4);
    this.localFlags = low(this.localFlags, 6);
    this.line = bytes[8];
    this.characters.set(bytes.subarray(9, 17));
    this.settleSpeeds(undefined);
  }

  /** Speeds follow from CBAUD, except with BOTHER, which takes the given numbers. */
  private settleSpeeds(given: { input: number; output: number } | undefined): void {
    const code = this.controlFlags & ControlFlag.CBAUD;
    if (code === ControlFlag.BOTHER) {
      if (given !== undefined) {
        this.outputSpeed = given.output;
        this.inputSpeed = given.input === 0 ? given.output : given.input;
      }
      return;
    }
    this.outputSpeed = speedOf(code);
    const inputCode = (this.controlFlags & ControlFlag.CIBAUD) >>> 16;
    this.inputSpeed =
      inputCode === 0
        ? this.outputSpeed
        : inputCode === ControlFlag.BOTHER
          ? (given?.input ?? this.outputSpeed)
          : speedOf(inputCode);
  }
}

function speedOf(code: number): number {
  return (code & ControlFlag.BOTHER) === 0 ? SPEEDS[code & 0o17] : EXTENDED_SPEEDS[code & 0o17];
}
