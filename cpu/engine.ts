/** What every engine offers and how it tells why it stopped. Engines are interchangeable between instructions. */

/** Why {@link Engine.run} returned. */
export const Exit = {
  /** The budget is used up; RIP is at the next instruction. */
  Budget: 1,
  /** SYSCALL was executed: RCX and R11 are set, RIP is behind it. */
  Syscall: 2,
  /** An exception: vector, error code and address are in the state; RIP is at the faulting instruction (or behind it
   * for traps such as INT3). Nothing of the instruction has happened. */
  Exception: 3,
  /** HLT. */
  Halt: 4,
  /** `requestStop()` was called by a helper or a device. */
  Stopped: 5,
  /** An instruction is complete that may have changed anything (control registers, devices …; in user code TF): look for
   * interrupts and the like, then go on. RIP is behind it. */
  Attention: 6,
  /** Only on a whole PC: as Attention, and the instruction has set RIP. */
  Transfer: 7,
  /** RIP is at one of {@link import("./debug-stops.ts").DebugStops.breakpoints}; or a watched access has happened, and RIP is
   * behind its instruction. */
  Debug: 8,
} as const;
export type Exit = (typeof Exit)[keyof typeof Exit];

export interface Engine {
  readonly name: string;
  /**
   * Executes guest code from the CPU's RIP.
   * @param budget how many instructions at most. How many are left stands in the state (EXIT_BUDGET) whatever the reason
   * for the end is.
   * @param slack how many may be left when {@link Exit.Budget} comes back, so that it does not have to come in the middle of
   * what is compiled. Default: 0, exactly that many have been executed.
   */
  run(budget: number, slack?: number): Exit;
  /** Drops everything translated from these physical bytes; cheap where they are all of RAM. */
  invalidatePhysical(start: number, length: number): void;
  /** Virtual pages changed meaning: drops translations that lead through `[start, start + length)`. */
  invalidateVirtual(start: number, length: number): void;
}

/** An engine that can run system software. */
export interface SystemEngine extends Engine {
  /** Instructions of the current {@link run} that are complete; exact for a helper or device that asks. */
  readonly progress: number;
  /** Address of the instruction that ended the last {@link run}, if it is complete: of an INT n, for one. */
  readonly exitRip: number;
  /** CR3 was loaded: what is not in global pages may be elsewhere. */
  addressSpaceChanged(): void;
  /** All translations were dropped, those of global pages too. */
  globalPagesChanged(): void;
  /** INVLPG. */
  pageChanged(address: number): void;
}

/** A piece of code that an engine has generated, for people who want to read it. */
export interface CodePiece {
  /** "records": what the interpreter executes (engines/interp/record.ts), one record after the other. */
  readonly language: "javascript" | "wasm" | "records";
  readonly content: string | Uint8Array;
  /** What of the guest it executes. */
  readonly regions: readonly CodeRegion[];
}

export interface CodeRegion {
  /** Virtual address at which it is entered. */
  readonly rip: number;
  /** The guest code that it was made of; for records: of each record. */
  readonly blocks: readonly { readonly rip: number; readonly end: number }[];
  /** Name of its function, where the content has several. */
  readonly name?: string;
}

/** Told of all code that an engine generates. It must not execute guest code. */
export interface CodeObserver {
  onCode(piece: CodePiece): void;
}
