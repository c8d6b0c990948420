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

/** One walk over one record, which makes its row of what it checks. The first fault ends it. */
final class Check {
  private static final int DEEPEST = 64;
  private static final int LONGEST_NAME = 10_000;
  private static final int LONGEST_NUMBER = 1_000;
  private static final int SHOWN = 3;
  private static final int LONGEST_SHOWN = 40;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CHARSET_DETECTION) // UTF-8 alone: a record in UTF-16 is refused, not guessed
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

  /** {@code form}: what faults of dates and times are told with; null for faults that nobody reads. */
  Check(Fields fields, Form form) {
    this.fields = fields;
    this.form = form;
  }

  /** The record's row. */
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

  /** Some of the fields that the schema does not know, as one text; null when there were none. */
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

  /** At the start of an object: to its end. */
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

  /** At a name that the schema does not know: past its value. */
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

  /** At a value that nobody reads: to its end. Its keys must be unique, too: Jackson's own skipping would not look. */
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

  /** At a value that is not null: all of it, as Spark holds it. */
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
        require(value != null, value == null && form != null && type.isTime() && token == JsonToken.VALUE_STRING ? told(type, name) : name);
        return value;
    }
  }

  private String told(Type type, String name) throws IOException {
    byte[] text = in.getText().getBytes(StandardCharsets.UTF_8);
    String what = name + ": " + Cures.text(text, 0, text.length) + " is not of type " + Cures.expected(form, type);
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
    Map<Object, Object> found = new LinkedHashMap<>();
    while (in.nextToken() != JsonToken.END_OBJECT) {
      Object key = Scalars.text(in.currentName(), name);
      requireNew(!found.containsKey(key), name);
      in.nextToken();
      found.put(key, element(map, name));
    }
    return new ArrayBasedMapData(new GenericArrayData(found.keySet().toArray()), new GenericArrayData(found.values().toArray()));
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
