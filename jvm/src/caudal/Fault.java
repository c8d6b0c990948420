package caudal;

import java.io.IOException;

/**
 * Why a record is refused. The message says what is wrong: only the field's name where the code says the
 * rest, or null. It has no stack trace, because refusing is a normal result and a trace would cost time for
 * each record.
 */
final class Fault extends IOException {
  private static final long serialVersionUID = 1L;

  /** jobs/core/read/strict.py has the same codes in the same order; their numbers are the verdicts. */
  enum Code {
    MALFORMED,
    NOT_AN_OBJECT,
    MORE_THAN_ONE_DOCUMENT,
    DUPLICATE_KEY,
    WRONG_CASE_KEY,
    WRONG_TYPE,
    NULL_ELEMENT,
    HALF_CHARACTER,
    MISSING_FIELD,
    BEYOND_LIMITS,
    NULL_VALUE,
    EMPTY_VALUE,
    BLANK,
    TOO_LONG,
    HEADER,
    WRONG_HEADER;

    int number() {
      return ordinal() + 1;
    }
  }

  final Code code;

  Fault(Code code, String field) {
    super(field);
    this.code = code;
  }

  @Override
  public synchronized Throwable fillInStackTrace() {
    return this;
  }
}
