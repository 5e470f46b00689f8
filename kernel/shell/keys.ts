/** From bytes of a terminal to keys: UTF-8 characters, control characters, escape sequences (ECMA-48, xterm's ctlseqs). */

export type Key =
  | { readonly kind: "text"; readonly text: string }
  /** "C-a", "M-b", "Up", "Home", "Delete", "C-Left", "Enter", "Tab", "Backspace", "Escape" … */
  | { readonly kind: "key"; readonly name: string };

const ESC = 0x1b;

const CSI_FINALS: Readonly<Record<string, string>> = {
  A: "Up",
  B: "Down",
  C: "Right",
  D: "Left",
  H: "Home",
  F: "End",
  Z: "S-Tab",
};
const CSI_NUMBERS: Readonly<Record<string, string>> = {
  "1": "Home",
  "2": "Insert",
  "3": "Delete",
  "4": "End",
  "5": "PageUp",
  "6": "PageDown",
  "7": "Home",
  "8": "End",
};
/** xterm's modifier parameter, less one. */
const CONTROL = 4;
const ALT = 2;

export class KeyDecoder {
  private readonly pending: number[] = [];

  /** The keys that are complete now; the rest waits for more bytes. */
  decode(bytes: Uint8Array): Key[] {
    this.pending.push(...bytes);
    const keys: Key[] = [];
    while (this.pending.length > 0) {
      const key = this.next();
      if (key === undefined) break;
      keys.push(key);
    }
    return keys;
  }

  /** Bytes that do not make a key yet. */
  takePending(): Uint8Array {
    return Uint8Array.from(this.pending.splice(0));
  }

  private next(): Key | undefined {
    const [first] = this.pending;
    if (first === ESC) return this.escape();
    if (first < 0x20 || first === 0x7f) {
      this.pending.shift();
      return control(first);
    }
    return this.character();
  }

  private character(): Key | undefined {
    const [first] = this.pending;
    const length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (this.pending.length < length) return undefined;
    return { kind: "text", text: new TextDecoder().decode(Uint8Array.from(this.pending.splice(0, length))) };
  }

  private escape(): Key | undefined {
    const { pending } = this;
    // Escape alone waits for what follows: a terminal sends sequences in one piece, a person does not type it.
    if (pending.length === 1) return undefined;
    const second = pending[1];
    if (second === 0x5b /* [ */) return this.controlSequence();
    if (second === 0x4f /* O */) {
      if (pending.length < 3) return undefined;
      const name = CSI_FINALS[String.fromCharCode(pending[2])];
      pending.splice(0, 3);
      return { kind: "key", name: name ?? "Unknown" };
    }
    pending.splice(0, 1);
    if (second === ESC) return { kind: "key", name: "Escape" };
    const key = this.next();
    if (key === undefined) {
      pending.unshift(ESC);
      return undefined;
    }
    return { kind: "key", name: `M-${key.kind === "text" ? key.text : key.name}` };
  }

  private controlSequence(): Key | undefined {
    const { pending } = this;
    const end = pending.findIndex((c, i) => i >= 2 && c >= 0x40 && c <= 0x7e);
    if (end < 0) return undefined;
    const sequence = String.fromCharCode(...pending.splice(0, end + 1).slice(2));
    const final = sequence[sequence.length - 1];
    const [number, modifier] = sequence.slice(0, -1).split(";");
    const name = final === "~" ? CSI_NUMBERS[number] : CSI_FINALS[final];
    if (name === undefined) return { kind: "key", name: "Unknown" };
    const modifiers = Math.max(0, Number(modifier ?? 1) - 1);
    const prefix = ((modifiers & CONTROL) !== 0 ? "C-" : "") + ((modifiers & ALT) !== 0 ? "M-" : "");
    return { kind: "key", name: prefix + name };
  }
}

function control(byte: number): Key {
  if (byte === 0x0d || byte === 0x0a) return { kind: "key", name: "Enter" };
  if (byte === 0x09) return { kind: "key", name: "Tab" };
  if (byte === 0x7f || byte === 0x08) return { kind: "key", name: "Backspace" };
  return { kind: "key", name: `C-${String.fromCharCode(byte + 0x60)}` };
}
