/**
 * Framing of the gdb remote protocol ("Debugging with GDB", appendix E.1): `$payload#checksum`, acknowledgements, and the
 * lone byte that interrupts.
 */

export type Incoming =
  | { readonly kind: "packet"; readonly payload: string }
  /** A packet whose checksum is wrong, or one that is longer than any we know of. */
  | { readonly kind: "bad packet" }
  | { readonly kind: "acknowledged" }
  | { readonly kind: "not acknowledged" }
  | { readonly kind: "interrupt" };

/** What we promise to take ("PacketSize"). */
export const PACKET_SIZE = 0x4000;
/** Binary data may have every byte escaped. */
const MOST_BYTES = 2 * PACKET_SIZE + 64;

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const PLUS = 0x2b;
const MINUS = 0x2d;
const CTRL_C = 0x03;

/** Takes bytes as they come. Payloads are strings of one character for each byte. */
export class PacketReader {
  private readonly payload: number[] = [];
  private state: "outside" | "payload" | "checksum" = "outside";
  private isTooLong = false;
  private isEscaped = false;
  private sum = 0;
  private checksum = "";

  *read(bytes: Uint8Array): Generator<Incoming> {
    for (const byte of bytes) {
      const incoming = this.take(byte);
      if (incoming !== undefined) yield incoming;
    }
  }

  private take(byte: number): Incoming | undefined {
    switch (this.state) {
      case "outside":
        return this.takeOutside(byte);
      case "payload":
        this.takePayload(byte);
        return undefined;
      case "checksum":
        return this.takeChecksum(byte);
    }
  }

  private takeOutside(byte: number): Incoming | undefined {
    if (byte === DOLLAR) {
      this.state = "payload";
      this.payload.length = 0;
      this.isTooLong = false;
      this.isEscaped = false;
      this.sum = 0;
    } else if (byte === PLUS) return { kind: "acknowledged" };
    else if (byte === MINUS) return { kind: "not acknowledged" };
    else if (byte === CTRL_C) return { kind: "interrupt" };
    return undefined; // noise
  }

  private takePayload(byte: number): void {
    if (byte === HASH) {
      this.state = "checksum";
      this.checksum = "";
      return;
    }
    if (byte === DOLLAR) {
      // The one before was cut off.
      this.takeOutside(byte);
      return;
    }
    this.sum = (this.sum + byte) & 0xff;
    if (byte === ESCAPE && !this.isEscaped) {
      this.isEscaped = true;
      return;
    }
    if (this.payload.length >= MOST_BYTES) this.isTooLong = true;
    else this.payload.push(this.isEscaped ? byte ^ 0x20 : byte);
    this.isEscaped = false;
  }

  private takeChecksum(byte: number): Incoming | undefined {
    this.checksum += String.fromCharCode(byte);
    if (this.checksum.length < 2) return undefined;
    this.state = "outside";
    const isRight = /^[0-9a-f]{2}$/i.test(this.checksum) && Number.parseInt(this.checksum, 16) === this.sum;
    if (!isRight || this.isTooLong || this.isEscaped) return { kind: "bad packet" };
    return { kind: "packet", payload: toText(this.payload) };
  }
}

function toText(bytes: readonly number[]): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Characters that mean something: they are escaped (with "*", which begins a run length). */
const SPECIAL = /[#$}*]/g;

/** The whole packet. Characters of the payload stand for bytes. */
export function encodePacket(payload: string): string {
  let sum = 0;
  for (let index = 0; index < payload.length; index++) sum = (sum + payload.charCodeAt(index)) & 0xff;
  return `$${payload}#${sum.toString(16).padStart(2, "0")}`;
}

/** Binary data as it stands in a payload. */
export function escapeBinary(text: string): string {
  return text.replace(SPECIAL, (character) => `}${String.fromCharCode(character.charCodeAt(0) ^ 0x20)}`);
}

export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096)
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** @returns undefined if it is not an even number of hexadecimal digits */
export function bytesOfHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}

/** A hexadecimal number that is exact in JavaScript. */
export function parseHex(text: string): number | undefined {
  if (!/^[0-9a-f]{1,16}$/i.test(text)) return undefined;
  const value = Number.parseInt(text, 16);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** An address of 64 bits, as engines have it: signed. */
export function parseAddress(text: string): number | undefined {
  return /^[0-9a-f]{1,16}$/i.test(text) ? Number(BigInt.asIntN(64, BigInt(`0x${text}`))) : undefined;
}
