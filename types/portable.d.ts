/**
 * The only ambient names, beyond ECMAScript and WebAssembly, that portable code may use: both Node and browsers have
 * them, and none of them tells the time or throws dice. The rest comes in through `kernel/host.ts`.
 */

declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(input?: Uint8Array | ArrayBuffer | DataView, options?: { stream?: boolean }): string;
}

declare function queueMicrotask(callback: () => void): void;
