package caudal;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.ShortType;

/** Whether a scalar token is a value of a column's type, without rounding, wrapping or quoting. */
final class Types {
  private Types() {}

  /** Of an array its element type, of a map its value type; null for all others. */
  static DataType element(DataType type) {
    if (type instanceof ArrayType array) {
      return array.elementType();
    }
    return type instanceof MapType map ? map.valueType() : null;
  }

  /** Dates and timestamps come as strings; whether they can be read is the second parser's to say. */
  static boolean holds(DataType type, JsonToken token, JsonParser in) throws IOException {
    if (type instanceof BooleanType) {
      return token == JsonToken.VALUE_TRUE || token == JsonToken.VALUE_FALSE;
    }
    if (type instanceof DoubleType || type instanceof FloatType) {
      return token.isNumeric() && Double.isFinite(type instanceof DoubleType ? in.getDoubleValue() : in.getFloatValue());
    }
    if (type instanceof DecimalType decimal) {
      return token.isNumeric() && fits(in.getDecimalValue(), decimal);
    }
    long most = most(type);
    return most == 0 ? token == JsonToken.VALUE_STRING : token == JsonToken.VALUE_NUMBER_INT && within(in, most);
  }

  private static long most(DataType type) {
    if (type instanceof LongType) {
      return Long.MAX_VALUE;
    }
    if (type instanceof IntegerType) {
      return Integer.MAX_VALUE;
    }
    return type instanceof ShortType ? Short.MAX_VALUE : type instanceof ByteType ? Byte.MAX_VALUE : 0;
  }

  private static boolean within(JsonParser in, long most) throws IOException {
    if (in.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
      return false;
    }
    long value = in.getLongValue();
    return value <= most && value >= -most - 1;
  }

  private static boolean fits(BigDecimal value, DecimalType type) {
    BigDecimal plain = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
    int scale = Math.max(plain.scale(), 0);
    return scale <= type.scale() && plain.precision() - plain.scale() <= type.precision() - type.scale();
  }
}
