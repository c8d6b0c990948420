package caudal;

import java.io.IOException;
import java.io.OutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.mapreduce.Job;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.datasources.CodecStreams;
import org.apache.spark.sql.execution.datasources.OutputWriter;
import org.apache.spark.sql.execution.datasources.OutputWriterFactory;
import org.apache.spark.sql.execution.datasources.TextBasedFileFormat;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.immutable.Map;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * A data source that writes part files of {@link CsvLine}s. Options: {@code sep} and {@code header}. It
 * exists because Spark's own csv writer drops blanks at the ends, NUL, and the microseconds of a time.
 */
public final class CsvFiles extends TextBasedFileFormat {
  private static final int FULL = 64 * 1024; // bytes gathered before they are written

  @Override
  public Option<StructType> inferSchema(
      SparkSession session, Map<String, String> options, Seq<FileStatus> files) {
    return Option.empty();
  }

  @Override
  public OutputWriterFactory prepareWrite(
      SparkSession session, Job job, Map<String, String> options, StructType schema) {
    var given = CollectionConverters.asJava(options);
    return new Factory(given.get("sep"), Boolean.parseBoolean(given.get("header")));
  }

  @Override
  public String toString() {
    return "caudal-csv";
  }

  private static final class Factory extends OutputWriterFactory {
    private static final long serialVersionUID = 1L;

    private final String separator;
    private final boolean header;

    Factory(String separator, boolean header) {
      this.separator = separator;
      this.header = header;
    }

    @Override
    public String getFileExtension(TaskAttemptContext context) {
      return ".csv";
    }

    @Override
    public OutputWriter newInstance(String path, StructType schema, TaskAttemptContext context) {
      CsvLine lines = new CsvLine(schema, separator);
      if (header) {
        lines.names();
      }
      return new Writer(path, CodecStreams.createOutputStream(context, new Path(path)), lines);
    }
  }

  private static final class Writer extends OutputWriter {
    private final String path;
    private final OutputStream out;
    private final CsvLine lines;

    Writer(String path, OutputStream out, CsvLine lines) {
      this.path = path;
      this.out = out;
      this.lines = lines;
    }

    @Override
    public void write(InternalRow row) {
      lines.row(row);
      if (lines.size() >= FULL) {
        drain();
      }
    }

    @Override
    public void close() {
      try (out) {
        lines.drain(out);
      } catch (IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
    }

    private void drain() {
      try {
        lines.drain(out);
      } catch (IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
    }

    @Override
    public String path() {
      return path;
    }
  }
}
