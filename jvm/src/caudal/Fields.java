package caudal;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The fields of one struct, by exact name. {@code folded} has their names in lower case, to distinguish a
 * wrong case from an unknown field.
 */
final class Fields {
  final String[] names;
  final Type[] types;
  private final boolean[] required;
  private final Map<String, Integer> places = new HashMap<>();
  private final Map<String, String> folded = new HashMap<>();

  Fields(StructType struct, Times times) {
    StructField[] fields = struct.fields();
    names = new String[fields.length];
    types = new Type[fields.length];
    required = new boolean[fields.length];
    for (int i = 0; i < fields.length; i++) {
      names[i] = fields[i].name();
      types[i] = Type.of(fields[i].dataType(), times);
      required[i] = !fields[i].nullable();
      places.put(names[i], i);
      folded.put(names[i].toLowerCase(Locale.ROOT), names[i]);
    }
  }

  /** Throws IllegalArgumentException for a type that cannot be read. */
  static Fields parse(String json, Form form) {
    return new Fields((StructType) DataType.fromJson(json), new Times(form));
  }

  /** The first field that needs a value and has none; -1 when there is none. */
  int firstMissing(Object[] values) {
    for (int i = 0; i < required.length; i++) {
      if (required[i] && values[i] == null) {
        return i;
      }
    }
    return -1;
  }

  /** The field's place; -1 for a name that is not one of them. */
  int place(String name) {
    Integer found = places.get(name);
    return found == null ? -1 : found;
  }

  /** The field whose name differs from this one only in case; null when there is none. */
  String otherCase(String name) {
    return folded.get(name.toLowerCase(Locale.ROOT));
  }
}
