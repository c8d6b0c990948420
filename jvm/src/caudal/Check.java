package caudal;

import caudal.Fault.Code;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayBasedMapData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;

/**
 * Reads one JSON record in one pass, and makes its row of what it has checked. It stops at the first fault.
 */
final class Check {
  private static final int DEEPEST = 64;
  private static final int LONGEST_NAME = 10_000;
  private static final int LONGEST_NUMBER = 1_000;
  private static final int SHOWN = 3;
  private static final int LONGEST_SHOWN = 40;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CHARSET_DETECTION) // only UTF-8: UTF-16 is refused, not guessed
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER) // rounds as Java's own does
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(DEEPEST)
                  .maxNameLength(LONGEST_NAME)
                  .maxNumberLength(LONGEST_NUMBER)
                  .maxStringLength(Integer.MAX_VALUE)
                  .build())
          .build();

  private final Fields fields;
  private final Set<String> unknown = new HashSet<>(0);
  private final Form form;
  private JsonParser in;

  /** {@code form}: used to explain faults of dates and times; null if nobody reads the explanation. */
  Check(Fields fields, Form form) {
    this.fields = fields;
    this.form = form;
  }

  /** The row of the record. */
  InternalRow of(byte[] record) throws Fault {
    int from = Bytes.unmarked(record, 0);
    try (JsonParser parser = JSON.createParser(record, from, record.length - from)) {
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

  /** The first few fields that the schema does not know, joined by commas; null when there were none. */
  String unknown() {
    return unknown.isEmpty() ? null : String.join(",", unknown);
  }

  private InternalRow document() throws IOException {
    if (in.nextToken() != JsonToken.START_OBJECT) {
      throw new Fault(Code.NOT_AN_OBJECT, null);
    }
    InternalRow row = row(fields);
    if (in.nextToken() != null) {
      throw new Fault(Code.MORE_THAN_ONE_DOCUMENT, null);
    }
    return row;
  }

  /** Reads an object, from its start to its end. */
  private InternalRow row(Fields of) throws IOException {
    Object[] values = new Object[of.names.length];
    boolean[] seen = new boolean[of.names.length];
    Set<String> others = null;
    while (in.nextToken() != JsonToken.END_OBJECT) {
      String name = in.currentName();
      int place = of.place(name);
      if (place < 0) {
        others = others == null ? new HashSet<>() : others;
        skip(of, name, others);
        continue;
      }
      requireNew(!seen[place], name);
      seen[place] = true;
      if (in.nextToken() != JsonToken.VALUE_NULL) {
        values[place] = value(of.types[place], name);
      }
    }
    int missing = of.firstMissing(values);
    if (missing >= 0) {
      throw new Fault(Code.MISSING_FIELD, of.names[missing]);
    }
    return new GenericInternalRow(values);
  }

  /** Skips the value of a name that the schema does not know. */
  private void skip(Fields of, String name, Set<String> others) throws IOException {
    if (of.otherCase(name) != null) {
      throw new Fault(Code.WRONG_CASE_KEY, name);
    }
    requireNew(others.add(name), name);
    if (unknown.size() < SHOWN) {
      unknown.add(name.length() > LONGEST_SHOWN ? name.substring(0, LONGEST_SHOWN) : name);
    }
    in.nextToken();
    skipValue(name);
  }

  /**
   * Skips a value that is not in the schema. Its keys must be unique, too; Jackson's skipChildren would not
   * check them.
   */
  private void skipValue(String name) throws IOException {
    if (in.currentToken() == JsonToken.START_ARRAY) {
      while (in.nextToken() != JsonToken.END_ARRAY) {
        skipValue(name);
      }
    } else if (in.currentToken() == JsonToken.START_OBJECT) {
      Set<String> names = new HashSet<>();
      while (in.nextToken() != JsonToken.END_OBJECT) {
        requireNew(names.add(in.currentName()), name);
        in.nextToken();
        skipValue(name);
      }
    }
  }

  /** Reads a value that is not null. Returns it in Spark's internal form. */
  private Object value(Type type, String name) throws IOException {
    JsonToken token = in.currentToken();
    switch (type.kind()) {
      case STRUCT:
        require(token == JsonToken.START_OBJECT, name);
        return row(type.fields());
      case ARRAY:
        require(token == JsonToken.START_ARRAY, name);
        return elements(type, name);
      case MAP:
        require(token == JsonToken.START_OBJECT, name);
        return entries(type, name);
      default:
        Object value = Scalars.read(type, token, in, name);
        boolean isText = token == JsonToken.VALUE_STRING;
        boolean isExplained = value == null && form != null && type.isTime() && isText;
        require(value != null, isExplained ? timeFault(type, name) : name);
        return value;
    }
  }

  private String timeFault(Type type, String name) throws IOException {
    byte[] text = in.getText().getBytes(StandardCharsets.UTF_8);
    String shown = Cures.text(text, 0, text.length);
    String what = name + ": " + shown + " is not of type " + Cures.expected(form, type);
    return Cures.with(what, Cures.option(form, type, text, 0, text.length));
  }

  private GenericArrayData elements(Type array, String name) throws IOException {
    List<Object> values = new ArrayList<>();
    while (in.nextToken() != JsonToken.END_ARRAY) {
      values.add(element(array, name));
    }
    return new GenericArrayData(values.toArray());
  }

  private ArrayBasedMapData entries(Type map, String name) throws IOException {
    Map<Object, Object> entries = new LinkedHashMap<>();
    while (in.nextToken() != JsonToken.END_OBJECT) {
      Object key = Scalars.text(in.currentName(), name);
      requireNew(!entries.containsKey(key), name);
      in.nextToken();
      entries.put(key, element(map, name));
    }
    GenericArrayData keys = new GenericArrayData(entries.keySet().toArray());
    return new ArrayBasedMapData(keys, new GenericArrayData(entries.values().toArray()));
  }

  private Object element(Type of, String name) throws IOException {
    if (in.currentToken() != JsonToken.VALUE_NULL) {
      return value(of.element(), name);
    }
    if (!of.nulls()) {
      throw new Fault(Code.NULL_ELEMENT, name);
    }
    return null;
  }

  private static void require(boolean right, String name) throws Fault {
    if (!right) {
      throw new Fault(Code.WRONG_TYPE, name);
    }
  }

  private static void requireNew(boolean isNew, String name) throws Fault {
    if (!isNew) {
      throw new Fault(Code.DUPLICATE_KEY, name);
    }
  }
}
