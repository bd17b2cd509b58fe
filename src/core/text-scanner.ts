const SPACE = " \t\n\v\f\r";
const SHOWN_LENGTH = 20;

/** Reads a text from left to right and looks at each character once, so that no input makes it slow. */
export class TextScanner {
  readonly text: string;
  /** Offset of the next character, from 0. */
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** The next character, `""` at the end. */
  get next(): string {
    return this.text.charAt(this.position);
  }

  /** Passes the next character if it is one of these. */
  take(characters: string): boolean {
    const taken = this.next !== "" && characters.includes(this.next);
    if (taken) this.position++;
    return taken;
  }

  /** Passes blanks, tabs and line breaks. */
  skipSpace(): void {
    while (this.take(SPACE));
  }

  /** Passes ASCII digits and returns them, `""` when there are none. */
  digits(): string {
    return this.#takeWhile(isDigit);
  }

  /** Passes ASCII letters and returns them, `""` when there are none. */
  letters(): string {
    return this.#takeWhile(isLetter);
  }

  /** What comes next, for an error message: a word, a number, a character or the end. */
  describeNext(): string {
    const start = this.position;
    const word = this.letters() || this.digits();
    this.position = start;
    if (word !== "") return quote(word);
    const character = this.text.slice(start, start + 2).codePointAt(0);
    return character === undefined ? "the end" : describeCharacter(character);
  }

  #takeWhile(belongs: (character: string) => boolean): string {
    const start = this.position;
    while (belongs(this.next)) this.position++;
    return this.text.slice(start, this.position);
  }
}

/** Is this character one of `0` to `9`? */
export function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}

/** A text as it may stand in an error message: quoted, escaped, and cut around `position` when long. */
export function quote(text: string, position = 0, length: number = SHOWN_LENGTH): string {
  const start = Math.max(0, Math.min(position - length / 2, text.length - length));
  const end = start + length;
  const before = start > 0 ? "…" : "";
  const after = end < text.length ? "…" : "";
  return JSON.stringify(`${before}${text.slice(start, end)}${after}`);
}

function isLetter(character: string): boolean {
  return (character >= "a" && character <= "z") || (character >= "A" && character <= "Z");
}

function describeCharacter(codePoint: number): string {
  const character = JSON.stringify(String.fromCodePoint(codePoint));
  if (codePoint >= 0x20 && codePoint < 0x7f) return character;
  return `${character} (U+${codePoint.toString(16).toUpperCase().padStart(4, "0")})`;
}
