package caudal;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads a field of plain text as a column's value, in Spark's internal form, without rounding or loss; null
 * when the text is not such a value.
 */
final class Plain {
  private static final int LONGEST_NUMBER = 1_000;

  private final Times times;
  private final byte decimal;

  Plain(Form form) {
    times = new Times(form);
    decimal = (byte) form.decimal().charAt(0);
  }

  /** Reads the UTF-8 bytes {@code from} to {@code to}. */
  Object read(Type type, byte[] text, int from, int to) {
    return switch (type.kind()) {
      case STRING -> UTF8String.fromBytes(text, from, to - from);
      case WHOLE -> whole(text, from, to, type);
      case DOUBLE -> real(text, from, to);
      case FLOAT -> narrow(text, from, to);
      case DECIMAL ->
          isNumber(text, from, to, false)
              ? fitting(new BigDecimal(pointed(text, from, to)), type.decimal())
              : null;
      case BOOLEAN -> truth(text, from, to);
      case DATE -> times.date(text, from, to);
      case TIMESTAMP -> times.timestamp(text, from, to, false);
      case TIMESTAMP_NTZ -> times.timestamp(text, from, to, true);
      default -> null;
    };
  }

  /** {@code value} if the type can represent all of its digits, else null. */
  static Decimal fitting(BigDecimal value, DecimalType type) {
    BigDecimal bare = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
    long whole = (long) bare.precision() - bare.scale();
    boolean fits = bare.scale() <= type.scale() && whole <= type.precision() - type.scale();
    return fits ? Decimal.apply(bare, type.precision(), type.scale()) : null;
  }

  private static Object whole(byte[] text, int from, int to, Type type) {
    int first = from + (isSigned(text, from, to) ? 1 : 0);
    boolean negative = first > from && text[from] == '-';
    if (first == to) {
      return null;
    }
    long value = 0; // counted below zero: the range of longs reaches one further there
    for (int i = first; i < to; i++) {
      int digit = text[i] - '0';
      if (!Times.isDigit(text[i]) || value < (Long.MIN_VALUE + digit) / 10) {
        return null;
      }
      value = value * 10 - digit;
    }
    if (!negative && value == Long.MIN_VALUE) {
      return null;
    }
    return type.whole(negative ? value : -value);
  }

  private Double real(byte[] text, int from, int to) {
    if (!isNumber(text, from, to, true)) {
      return null;
    }
    double value = Double.parseDouble(pointed(text, from, to));
    return Double.isInfinite(value) || value == 0 && !isZero(text, from, to) ? null : (Double) value;
  }

  private Float narrow(byte[] text, int from, int to) {
    if (!isNumber(text, from, to, true)) {
      return null;
    }
    float value = Float.parseFloat(pointed(text, from, to));
    return Float.isInfinite(value) || value == 0 && !isZero(text, from, to) ? null : (Float) value;
  }

  private static Boolean truth(byte[] text, int from, int to) {
    String word = new String(text, from, to - from, StandardCharsets.ISO_8859_1).toLowerCase(Locale.ROOT);
    return word.equals("true") ? Boolean.TRUE : word.equals("false") ? Boolean.FALSE : null;
  }

  /**
   * Whether it is an optional sign, then digits, a decimal mark with digits, or both; and an exponent if
   * {@code exponents}.
   */
  private boolean isNumber(byte[] text, int from, int to, boolean exponents) {
    int start = from + (isSigned(text, from, to) ? 1 : 0);
    int at = digits(text, start, to);
    boolean some = at > start;
    if (at < to && text[at] == decimal) {
      int behind = digits(text, at + 1, to);
      some = behind > at + 1;
      at = behind;
    }
    if (some && exponents && at < to && (text[at] | 0x20) == 'e') {
      int sign = at + 1 < to && (text[at + 1] == '+' || text[at + 1] == '-') ? 1 : 0;
      int behind = digits(text, at + 1 + sign, to);
      some = behind > at + 1 + sign;
      at = behind;
    }
    return some && at == to && to - from <= LONGEST_NUMBER;
  }

  private static boolean isSigned(byte[] text, int from, int to) {
    return from < to && (text[from] == '-' || text[from] == '+');
  }

  private static int digits(byte[] text, int from, int to) {
    int at = from;
    while (at < to && Times.isDigit(text[at])) {
      at++;
    }
    return at;
  }

  /** Whether each digit of a number before its exponent is 0. */
  private static boolean isZero(byte[] text, int from, int to) {
    for (int i = from; i < to && (text[i] | 0x20) != 'e'; i++) {
      if (text[i] >= '1' && text[i] <= '9') {
        return false;
      }
    }
    return true;
  }

  private String pointed(byte[] text, int from, int to) {
    String number = new String(text, from, to - from, StandardCharsets.ISO_8859_1);
    return decimal == '.' ? number : number.replace((char) decimal, '.');
  }
}
