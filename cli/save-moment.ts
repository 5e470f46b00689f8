/** What `--save-at` names. */

/** When a machine is saved and ends. */
export type SaveMoment =
  /** When it is left: Ctrl-A x, a signal. */
  | { readonly kind: "exit" }
  /** When its console has printed this. */
  | { readonly kind: "text"; readonly text: string }
  /** After so many instructions. */
  | { readonly kind: "instructions"; readonly count: number };

/** `exit`, `text=…`, `instructions=…`; undefined for anything else. */
export function parseSaveMoment(text: string): SaveMoment | undefined {
  if (text === "exit") return { kind: "exit" };
  const [, kind, rest = ""] = /^(text|instructions)=(.+)$/s.exec(text) ?? [];
  if (kind === "text") return { kind, text: rest };
  const count = Number(rest);
  return kind === "instructions" && Number.isSafeInteger(count) && count >= 0 ? { kind, count } : undefined;
}
