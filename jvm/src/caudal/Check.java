package caudal;

import caudal.Fault.Code;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import java.io.IOException;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructType;

/** One walk over one record. The first fault ends it. */
final class Check {
  private static final int DEEPEST = 64;
  private static final int LONGEST_NAME = 10_000;
  private static final int SHOWN = 3;
  private static final int LONGEST_SHOWN = 40;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CHARSET_DETECTION) // UTF-8 alone: a record in UTF-16 is refused, not guessed
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder().maxNestingDepth(DEEPEST).maxNameLength(LONGEST_NAME).maxStringLength(Integer.MAX_VALUE).build())
          .build();

  private final Fields fields;
  private final Set<String> unknown = new HashSet<>(0);
  private JsonParser in;

  Check(Fields fields) {
    this.fields = fields;
  }

  /** What was seen, as {@link StrictJson} says it. */
  long of(byte[] record) throws Fault {
    try (JsonParser parser = JSON.createParser(record, 0, record.length)) {
      in = parser;
      return document();
    } catch (Fault fault) {
      throw fault;
    } catch (StreamConstraintsException limit) {
      throw new Fault(Code.BEYOND_LIMITS, null);
    } catch (IOException broken) { // not JSON, or not UTF-8
      throw new Fault(Code.MALFORMED, null);
    }
  }

  /** Some of the fields that the schema does not know, as one text; null when there were none. */
  String unknown() {
    return unknown.isEmpty() ? null : String.join(",", unknown);
  }

  private long document() throws IOException {
    if (in.nextToken() != JsonToken.START_OBJECT) {
      throw new Fault(Code.NOT_AN_OBJECT, null);
    }
    long seen = columns(fields);
    if (in.nextToken() != null) {
      throw new Fault(Code.MORE_THAN_ONE_DOCUMENT, null);
    }
    return unknown.isEmpty() ? seen : seen | StrictJson.UNKNOWN;
  }

  /** At the start of an object: to its end. */
  private long columns(Fields of) throws IOException {
    BitSet seen = new BitSet(of.names.length);
    BitSet filled = new BitSet(of.names.length);
    long lengths = 0;
    while (in.nextToken() != JsonToken.END_OBJECT) {
      int place = place(of, seen);
      if (place >= 0 && in.currentToken() != JsonToken.VALUE_NULL) {
        filled.set(place);
        lengths += of.weights[place] * (long) value(of.names[place], of.types[place], of.nested[place]);
      }
    }
    int missing = of.firstMissing(filled);
    if (missing >= 0) {
      throw new Fault(Code.MISSING_FIELD, of.names[missing]);
    }
    long[] words = filled.toLongArray();
    long mask = words.length == 0 ? 0 : words[0] & ((1L << StrictJson.MASKED) - 1);
    return mask | (lengths & StrictJson.LENGTHS) << StrictJson.MASKED;
  }

  /** At a field name: goes on to its value. -1 when the schema does not know the name; its value is skipped then. */
  private int place(Fields fields, BitSet seen) throws IOException {
    String name = in.currentName();
    int place = fields.place(name);
    in.nextToken();
    if (place >= 0) {
      if (seen.get(place)) {
        throw new Fault(Code.DUPLICATE_KEY, name);
      }
      seen.set(place);
      return place;
    }
    if (fields.otherCase(name) != null) {
      throw new Fault(Code.WRONG_CASE_KEY, name);
    }
    if (unknown.size() < SHOWN) {
      unknown.add(name.length() > LONGEST_SHOWN ? name.substring(0, LONGEST_SHOWN) : name);
    }
    in.skipChildren();
    return -1;
  }

  /** At a value: checks all of it. The number of elements of an array, else 0. */
  private int value(String name, DataType type, Fields nested) throws IOException {
    JsonToken token = in.currentToken();
    if (type instanceof StructType) {
      require(token == JsonToken.START_OBJECT, name);
      columns(nested);
      return 0;
    }
    if (type instanceof ArrayType array) {
      require(token == JsonToken.START_ARRAY, name);
      return elements(name, array, nested);
    }
    if (type instanceof MapType map) {
      require(token == JsonToken.START_OBJECT, name);
      entries(name, map.valueType(), nested);
      return 0;
    }
    require(token.isScalarValue() && Types.holds(type, token, in), name);
    if (token == JsonToken.VALUE_STRING) {
      requireWhole(name);
    }
    return 0;
  }

  private int elements(String name, ArrayType array, Fields nested) throws IOException {
    int count = 0;
    while (in.nextToken() != JsonToken.END_ARRAY) {
      if (in.currentToken() != JsonToken.VALUE_NULL) {
        value(name, array.elementType(), nested);
      } else if (!array.containsNull()) {
        throw new Fault(Code.NULL_ELEMENT, name);
      }
      count++;
    }
    return count;
  }

  private void entries(String name, DataType type, Fields nested) throws IOException {
    Set<String> seen = new HashSet<>();
    while (in.nextToken() != JsonToken.END_OBJECT) {
      if (!seen.add(in.currentName())) {
        throw new Fault(Code.DUPLICATE_KEY, name);
      }
      if (in.nextToken() != JsonToken.VALUE_NULL) {
        value(name, type, nested);
      }
    }
  }

  /** Half a surrogate pair is no character: the second parser would put a question mark in its place. */
  private void requireWhole(String name) throws IOException {
    char[] text = in.getTextCharacters();
    int end = in.getTextOffset() + in.getTextLength();
    for (int i = in.getTextOffset(); i < end; i++) {
      if (Character.isSurrogate(text[i]) && !(Character.isHighSurrogate(text[i]) && i + 1 < end && Character.isLowSurrogate(text[++i]))) {
        throw new Fault(Code.HALF_CHARACTER, name);
      }
    }
  }

  private static void require(boolean right, String name) throws Fault {
    if (!right) {
      throw new Fault(Code.WRONG_TYPE, name);
    }
  }
}
