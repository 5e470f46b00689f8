/**
 * The decoded record: what the interpreter executes, 32 bytes for one instruction (or a fused pair).
 * A trace is consecutive records; the last one transfers control.
 */

export const RECORD_SHIFT = 5;
export const RECORD_SIZE = 32;

/** u32: index of the handler in the function table. */
export const RECORD_HANDLER = 0;
/** u8 each: byte offset of a general register in the state, or the number of another register. */
export const RECORD_SLOT0 = 4;
export const RECORD_SLOT1 = 5;
/** u8: third register, or ENTER's level; in records that transfer control {@link RECORD_RETIRE}. */
export const RECORD_SLOT2 = 6;
/** u8: instructions that are finished when this record transfers control: since the last such record. */
export const RECORD_RETIRE = 6;
/** u8: instructions from here to the end of the trace: what the budget must cover to enter here. */
export const RECORD_NEED = 7;
/**
 * u8 each: state offsets of base and index register, log2 of the scale, state offset of the segment base. The address form
 * "general" has {@link NARROW_ADDRESS} in the scale.
 */
export const RECORD_BASE = 8;
export const RECORD_INDEX = 9;
export const RECORD_SCALE = 10;
export const RECORD_SEGMENT = 11;
/** Added to the scale: the address has 32 bits. */
export const NARROW_ADDRESS = 0x40;
/** i32 */
export const RECORD_DISPLACEMENT = 12;
/** i64 */
export const RECORD_IMMEDIATE = 16;
/**
 * A record can hold two instructions of which one at most has a memory operand. The second one's registers and immediate
 * then stand in fields that the pair leaves free: without a memory operand where base, index and displacement would be,
 * else where absolute address and link would be.
 */
export const RECORD_PAIR_PLAIN_SLOT = 8;
export const RECORD_PAIR_PLAIN_IMMEDIATE = 12; // i32, sign-extended
export const RECORD_PAIR_MEMORY_SLOT = 24;
export const RECORD_PAIR_MEMORY_IMMEDIATE = 28; // i32, sign-extended
/** u8: register of a fourth operand (VBLENDVPS …): such instructions have no immediate. */
export const RECORD_SLOT_FOURTH = 16;
/** Byte of each register slot (RecordSlot). */
export const SLOT_BYTES = [4, 5, 6, 8, 9, 24, 25, RECORD_SLOT_FOURTH] as const;
/** i64, where the address is known: RIP-relative operands; in the address form "general" a displacement. */
export const RECORD_ABSOLUTE = 24;
/** u32, in branches: linear address of the target's record; 0 = not resolved yet. */
export const RECORD_LINK = 24;

/** Longest trace in instructions; RECORD_NEED is a byte. */
export const TRACE_LIMIT = 64;

/** Handlers that are no instruction's. */
export const Handler = {
  /** The code this was decoded from has changed. */
  Stale: 0,
  /** The trace ends here for another reason than a jump: on to RECORD_LINK. */
  Continue: 1,
  /** The budget ends here: single steps. */
  BudgetEnd: 2,
  /** An undefined instruction: #UD. */
  Undefined: 3,
  /** More than 15 bytes long, or otherwise refused: #GP(0). */
  Protection: 4,
  /** In front of a trace: counts down RECORD_COUNTER and asks for compilation at zero. */
  Count: 5,
  /** In front of a trace that is not compiled: straight on. */
  Skip: 6,
  /** An instruction of a unit that the operating system has switched off: #NM. */
  NotAvailable: 7,
} as const;
/** i32, in {@link Handler.Count} records. In those that lead into a compiled region: by which of its entries. */
export const RECORD_COUNTER = 16;
/** i32, in records that lead into a compiled region: how often they have (code for loops does not count). */
export const RECORD_ENTERED = 20;
export const FIRST_INSTRUCTION_HANDLER = 8;
/** Places behind the handlers in the function table, for compiled regions. */
export const REGION_SLOTS = 16384;

/** Set in EXIT_RECORD (records are aligned) if the second instruction of a pair was under way. */
export const SECOND_OF_PAIR = 1;

/** Why generated code returned to TypeScript (cpu/engine.ts has what callers of the engine see). */
export const Leave = {
  /** Budget used up before EXIT_RECORD. */
  Budget: 1,
  /** Exception in EXIT_RECORD's instruction; nothing of it has happened. */
  Fault: 2,
  /** EXIT_RECORD is stale. */
  Stale: 3,
  /** Exception while fetching the next instruction; RIP is set. */
  FetchFault: 4,
  /** The instruction at the RIP in the state is for the interpreter; nothing of it has happened. */
  Step: 5,
  /** A function has returned to the RIP in the state, while calls were under way (CALL_DEPTH). */
  Returned: 6,
  /** + an Exit code: the instruction at EXIT_RECORD is complete. */
  Completed: 16,
} as const;
