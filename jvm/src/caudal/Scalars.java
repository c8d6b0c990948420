package caudal;

import caudal.Fault.Code;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import org.apache.spark.sql.catalyst.util.DateTimeUtils;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;

/** A scalar token as a column's value, as Spark holds it, without rounding, wrapping or quoting; null when it is none. */
final class Scalars {
  private Scalars() {}

  /** {@code name}: the field's, for the fault. */
  static Object read(Type type, JsonToken token, JsonParser in, String name) throws IOException {
    return switch (type.kind()) {
      case STRING -> token == JsonToken.VALUE_STRING ? text(in, name) : null;
      case DOUBLE -> token.isNumeric() ? finite(in.getDoubleValue()) : null;
      case WHOLE -> token == JsonToken.VALUE_NUMBER_INT ? whole(in, type.most()) : null;
      case BOOLEAN -> token.isBoolean() ? token == JsonToken.VALUE_TRUE : null;
      case FLOAT -> token.isNumeric() ? finite(in.getFloatValue()) : null;
      case DECIMAL -> token.isNumeric() ? decimal(in, type.decimal()) : null;
      default -> token == JsonToken.VALUE_STRING ? spelled(type, in, name) : null;
    };
  }

  private static Double finite(double value) {
    return Double.isFinite(value) ? value : null;
  }

  private static Float finite(float value) {
    return Float.isFinite(value) ? value : null;
  }

  private static Object whole(JsonParser in, long most) throws IOException {
    if (in.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
      return null;
    }
    long value = in.getLongValue();
    if (value > most || value < -most - 1) {
      return null;
    }
    if (most == Long.MAX_VALUE) {
      return value;
    }
    return most == Integer.MAX_VALUE ? (Object) (int) value : most == Short.MAX_VALUE ? (Object) (short) value : (Object) (byte) value;
  }

  private static Decimal decimal(JsonParser in, DecimalType type) throws IOException {
    BigDecimal value;
    try {
      value = in.getDecimalValue();
    } catch (NumberFormatException beyond) { // an exponent of more than 32 bits
      return null;
    }
    BigDecimal plain = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
    boolean fits = plain.scale() <= type.scale() && (long) plain.precision() - plain.scale() <= type.precision() - type.scale();
    return fits ? Decimal.apply(plain, type.precision(), type.scale()) : null;
  }

  /** Of types that JSON has not: Spark's own reading of their text. */
  private static Object spelled(Type type, JsonParser in, String name) throws IOException {
    UTF8String text = text(in, name);
    return switch (type.kind()) {
      case DATE -> orNull(DateTimeUtils.stringToDate(text));
      case TIMESTAMP -> orNull(DateTimeUtils.stringToTimestamp(text, type.zone()));
      case TIMESTAMP_NTZ -> orNull(DateTimeUtils.stringToTimestampWithoutTimeZone(text, false));
      case BINARY -> base64(in);
      default -> null;
    };
  }

  private static Object orNull(Option<?> found) {
    return found.isDefined() ? found.get() : null;
  }

  private static byte[] base64(JsonParser in) {
    try {
      return in.getBinaryValue();
    } catch (IOException | IllegalArgumentException none) {
      return null;
    }
  }

  static UTF8String text(JsonParser in, String name) throws IOException {
    char[] chars = in.getTextCharacters();
    int from = in.getTextOffset();
    byte[] bytes = new byte[in.getTextLength()];
    for (int i = 0; i < bytes.length; i++) {
      char one = chars[from + i];
      if (one > 0x7f) {
        requireWhole(chars, from, from + bytes.length, name);
        return UTF8String.fromString(new String(chars, from, bytes.length));
      }
      bytes[i] = (byte) one;
    }
    return UTF8String.fromBytes(bytes);
  }

  /** A name that is data. */
  static UTF8String text(String key, String name) throws Fault {
    requireWhole(key.toCharArray(), 0, key.length(), name);
    return UTF8String.fromString(key);
  }

  /** Half a surrogate pair is no character: a question mark would be put in its place. */
  private static void requireWhole(char[] text, int from, int end, String name) throws Fault {
    for (int i = from; i < end; i++) {
      if (Character.isSurrogate(text[i]) && !(Character.isHighSurrogate(text[i]) && i + 1 < end && Character.isLowSurrogate(text[++i]))) {
        throw new Fault(Code.HALF_CHARACTER, name);
      }
    }
  }
}
