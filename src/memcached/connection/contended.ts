/** Others write an item so often that no write came between: it stands as it would had nobody tried. */
export class Contended extends Error {
  constructor(key: string) {
    super(`${key} is written too often by others.`);
  }
}
