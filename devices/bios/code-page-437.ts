/** Characters of code page 437, the one in the ROM of PCs, in Unicode (unicode.org, VENDORS/MICSFT/PC/CP437.TXT). */

const CONTROLS = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const UPPER_1 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐";
const UPPER_2 = "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

export function codePage437(character: number): string {
  if (character < 0x20) return CONTROLS[character];
  if (character === 0x7f) return "⌂";
  return character < 0x80 ? String.fromCharCode(character) : (UPPER_1 + UPPER_2)[character - 0x80];
}
