package caudal;

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

  private final JsonParser in;
  private final Set<String> unknown = new HashSet<>(0);

  private Check(JsonParser in) {
    this.in = in;
  }

  static String of(byte[] record, Fields fields) {
    try (JsonParser in = JSON.createParser(record, 0, record.length)) {
      return new Check(in).record(fields);
    } catch (Fault fault) {
      return fault.getMessage();
    } catch (StreamConstraintsException limit) {
      return "!beyond-limits";
    } catch (IOException broken) { // not JSON, or not UTF-8
      return "!malformed";
    }
  }

  private String record(Fields fields) throws IOException {
    JsonToken first = in.nextToken();
    if (first != JsonToken.START_OBJECT) {
      throw new Fault("not-an-object", "");
    }
    StringBuilder lengths = new StringBuilder();
    long mask = columns(fields, lengths);
    if (in.nextToken() != null) {
      throw new Fault("more-than-one-document", "");
    }
    return mask + ":" + lengths + unknown();
  }

  /** The bit mask of the first 63 columns that hold a value; appends the length of each array column, in the schema's order. */
  private long columns(Fields fields, StringBuilder lengths) throws IOException {
    BitSet seen = new BitSet(fields.names.length);
    BitSet filled = new BitSet(fields.names.length);
    int[] length = new int[fields.names.length];
    while (in.nextToken() != JsonToken.END_OBJECT) {
      int place = place(fields, seen);
      if (place >= 0 && in.currentToken() != JsonToken.VALUE_NULL) {
        filled.set(place);
        length[place] = value(fields.names[place], fields.types[place], fields.nested[place]);
      }
    }
    for (int i = 0; i < length.length; i++) {
      if (fields.required[i] && !filled.get(i)) {
        throw new Fault("missing-field", fields.names[i]);
      }
      if (fields.types[i] instanceof ArrayType) {
        lengths.append(length[i]).append(',');
      }
    }
    long[] words = filled.toLongArray();
    return words.length == 0 ? 0 : words[0] & Long.MAX_VALUE;
  }

  /** At a field name: goes on to its value. -1 when the schema does not know the name; its value is skipped then. */
  private int place(Fields fields, BitSet seen) throws IOException {
    String name = in.currentName();
    int place = fields.place(name);
    in.nextToken();
    if (place >= 0) {
      if (seen.get(place)) {
        throw new Fault("duplicate-key", name);
      }
      seen.set(place);
      return place;
    }
    if (fields.otherCase(name) != null) {
      throw new Fault("wrong-case-key", name);
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
      columns(nested, new StringBuilder());
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
        throw new Fault("null-element", name);
      }
      count++;
    }
    return count;
  }

  private void entries(String name, DataType type, Fields nested) throws IOException {
    Set<String> seen = new HashSet<>();
    while (in.nextToken() != JsonToken.END_OBJECT) {
      if (!seen.add(in.currentName())) {
        throw new Fault("duplicate-key", name);
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
        throw new Fault("half-character", name);
      }
    }
  }

  private static void require(boolean right, String name) throws Fault {
    if (!right) {
      throw new Fault("wrong-type", name);
    }
  }

  private String unknown() {
    return unknown.isEmpty() ? "" : " ?" + String.join(",", unknown);
  }

  /** Why a record is refused. Without a trace: it is an answer, not an accident. */
  private static final class Fault extends IOException {
    private static final long serialVersionUID = 1L;

    Fault(String code, String place) {
      super("!" + code + (place.isEmpty() ? "" : " " + place));
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }
}
