import type { Reply } from "./reply-reader.js";

/** A command that was sent, in line for its answer. */
export abstract class Question {
  /** A text follows the command's line. */
  readonly hasText: boolean = false;
  askedAt = 0;
  /** The one that was asked after it. */
  next: Question | undefined;

  /** Reads the answer and hands it out; throws for one that makes no sense. */
  abstract answer(reply: Reply): void;
  abstract fail(error: unknown): void;
}

/** Resolves a promise with what `read` makes of the answer. */
export class PromisedAnswer<T> extends Question {
  override readonly hasText: boolean;
  readonly #read: (reply: Reply) => T;
  readonly #resolve: (value: T) => void;
  readonly fail: (error: unknown) => void;

  constructor(
    read: (reply: Reply) => T,
    hasText: boolean,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    super();
    this.#read = read;
    this.hasText = hasText;
    this.#resolve = resolve;
    this.fail = reject;
  }

  answer(reply: Reply): void {
    this.#resolve(this.#read(reply));
  }
}

/** Questions in the order in which they were asked. */
export class QuestionLine {
  #last: Question | undefined;
  first: Question | undefined;

  push(question: Question): void {
    if (this.#last === undefined) this.first = question;
    else this.#last.next = question;
    this.#last = question;
  }

  shift(): Question | undefined {
    const question = this.first;
    if (question === undefined) return undefined;
    this.first = question.next;
    if (this.first === undefined) this.#last = undefined;
    // A question that has grown old would keep all later ones from being collected young.
    question.next = undefined;
    return question;
  }
}
