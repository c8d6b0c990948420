package caudal;

import caudal.Fault.Code;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads a scalar token as a column's value, in Spark's internal form, without rounding, overflow or
 * conversion; null when it is not such a value.
 */
final class Scalars {
  private Scalars() {}

  /** {@code name}: the field's name, for a fault. */
  static Object read(Type type, JsonToken token, JsonParser in, String name) throws IOException {
    return switch (type.kind()) {
      case STRING -> token == JsonToken.VALUE_STRING ? text(in, name) : null;
      case DOUBLE -> token.isNumeric() ? finite(in.getDoubleValue()) : null;
      case WHOLE -> token == JsonToken.VALUE_NUMBER_INT ? whole(in, type) : null;
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

  private static Object whole(JsonParser in, Type type) throws IOException {
    return in.getNumberType() == JsonParser.NumberType.BIG_INTEGER ? null : type.whole(in.getLongValue());
  }

  private static Decimal decimal(JsonParser in, DecimalType type) throws IOException {
    BigDecimal value;
    try {
      value = in.getDecimalValue();
    } catch (NumberFormatException beyond) { // an exponent of more than 32 bits
      return null;
    }
    return Plain.fitting(value, type);
  }

  /** Reads types that JSON does not have from their text, in the form that the row declares. */
  private static Object spelled(Type type, JsonParser in, String name) throws IOException {
    if (type.kind() == Type.Kind.BINARY) {
      return base64(in);
    }
    byte[] text = text(in, name).getBytes();
    return switch (type.kind()) {
      case DATE -> type.times().date(text, 0, text.length);
      case TIMESTAMP -> type.times().timestamp(text, 0, text.length, false);
      case TIMESTAMP_NTZ -> type.times().timestamp(text, 0, text.length, true);
      default -> null;
    };
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

  /** A key of a map, which is data. */
  static UTF8String text(String key, String name) throws Fault {
    requireWhole(key.toCharArray(), 0, key.length(), name);
    return UTF8String.fromString(key);
  }

  /** Refuses half a surrogate pair: it is not a character, and Java would write a question mark for it. */
  private static void requireWhole(char[] text, int from, int end, String name) throws Fault {
    for (int i = from; i < end; i++) {
      if (Character.isSurrogate(text[i])
          && !(Character.isHighSurrogate(text[i]) && i + 1 < end && Character.isLowSurrogate(text[++i]))) {
        throw new Fault(Code.HALF_CHARACTER, name);
      }
    }
  }
}
